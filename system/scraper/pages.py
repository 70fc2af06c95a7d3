"""Where pages come from: saved files, or addresses followed from page to page. One page at a time.

Pagination is not trusted: an address is read once, two pages in a row that only repeat earlier ones
end the reading, and a limit bounds it. Where something may not have been read, a remark says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urldefrag

from system.errors import ScheduleError
from system.scraper.address import join, same_site
from system.scraper.fetch import BYTES_MAX, decode
from system.scraper.gaps import Gap, Remark
from system.scraper.parsing.schedule import Schedule, parse

PAGES_MAX = 500
_REPEATS_MAX = 2

T = TypeVar("T")


def walk(
    urls: Sequence[str],
    *,
    fetch: Callable[[str], str],
    now: Callable[[], datetime],
    pages_max: int = PAGES_MAX,
) -> Iterator[Schedule | Remark]:
    """Read every page, starting at each address and following "Next".

    A schedule counts as read to its end if its last page says that it is the last one: by a Next
    that is disabled, by having no pagination, or by its number.

    Args:
        urls: first pages.
        fetch: gives a page's text, or raises ScheduleError.
        now: the clock of observations.
        pages_max: pages in total at most.
    """
    reader = _Reader(fetch, now, pages_max)
    for first in urls:
        yield from _with_refusals(first, reader.follow(first))


class _Reader:
    """Follows one schedule after the other, and remembers the addresses of all of them."""

    def __init__(
        self, fetch: Callable[[str], str], now: Callable[[], datetime], pages_max: int
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._pages_max = pages_max
        self._addresses: set[str] = set()

    def follow(self, first: str) -> Iterator[Schedule | Remark]:
        """Read one schedule, from its first page on."""
        here: set[str] = set()
        numbers: dict[str, int | None] = {}  # by fingerprint, under which it was shown first
        repeats = 0
        url: str | None = first
        while url is not None:
            address = urldefrag(url).url
            if address in self._addresses:
                yield Remark(url, "was read before, with another schedule")
                return
            if len(self._addresses) == self._pages_max:
                text = f"not read: the limit of {self._pages_max} pages is reached"
                yield Remark(url, text, Gap.LIMIT)
                return
            self._addresses.add(address)
            here.add(address)
            try:
                schedule = parse(self._fetch(url), page=url, now=self._now())
            except ScheduleError as error:
                yield Remark(url, str(error), Gap.UNREACHABLE)
                return
            yield schedule
            pagination = schedule.pagination
            yield from _doubts(schedule, alone=url == first and pagination.next_link is None)
            try:
                url = _following(url, pagination.next_link)
            except ScheduleError as error:
                yield Remark(schedule.page, str(error), Gap.PAGINATION)
                return
            repeats = repeats + 1 if schedule.fingerprint in numbers else 0
            number = numbers.setdefault(schedule.fingerprint, pagination.number)
            in_circle = url is not None and urldefrag(url).url in here
            if url is None or in_circle or repeats == _REPEATS_MAX:
                # Under the number of then it is that page again, and not one in place of another.
                is_same = number is not None and number == pagination.number
                yield from _at_end(
                    schedule, in_place=repeats > 0 and not is_same, in_circle=in_circle
                )
                return


def _doubts(schedule: Schedule, *, alone: bool) -> Iterator[Remark]:
    """What a page itself leaves open; `alone` if no other page belongs to it."""
    for gap, text in schedule.doubts:
        yield Remark(schedule.page, text, gap)
    is_understood = all(gap is not Gap.UNRECOGNISED for gap, _ in schedule.doubts)
    if is_understood and not (schedule.matches or schedule.refused or alone):
        yield Remark(schedule.page, "it has no rows, and is not the only page", Gap.EMPTY)


def _at_end(schedule: Schedule, *, in_place: bool, in_circle: bool) -> Iterator[Remark]:
    """What the last page that was read leaves open.

    Args:
        in_place: it shows the rows of an earlier page, and its own ones did not come.
        in_circle: its Next leads to a page that was read before.
    """
    page, pagination = schedule.page, schedule.pagination
    if in_circle:
        text = f"its Next leads to {pagination.next_link!r}, which was read before: a circle"
        is_end = pagination.at_last and not in_place
        yield Remark(page, text, None if is_end else Gap.PAGINATION)
    elif in_place:
        text = "it repeats an earlier page, and its own rows did not come; perhaps the site ignores"
        yield Remark(page, f"{text} the number of the page", Gap.REPEATED)
    elif pagination.doubt is not None:
        yield Remark(page, pagination.doubt, Gap.PAGINATION)
    elif pagination.next_link is not None and not pagination.at_last:
        yield Remark(page, f"{_REPEATS_MAX} pages in a row repeat earlier ones", Gap.REPEATED)


def saved(
    files: Sequence[Path], *, now: Callable[[], datetime], pages_max: int = PAGES_MAX
) -> Iterator[Schedule | Remark]:
    """Read saved pages, in the order given; their "Next" links are not followed."""
    yield from _with_refusals("the saved pages", _open(files, now, pages_max))


def _open(
    files: Sequence[Path], now: Callable[[], datetime], pages_max: int
) -> Iterator[Schedule | Remark]:
    for number, file in enumerate(files):
        if number == pages_max:
            text = f"not read: the limit of {pages_max} pages is reached"
            yield Remark(str(file), text, Gap.LIMIT)
            return
        try:
            schedule = parse(decode(_bytes(file)), page=str(file), now=now())
        except ScheduleError as error:
            yield Remark(str(file), str(error), Gap.UNREACHABLE)
        else:
            yield schedule
            yield from _doubts(schedule, alone=schedule.pagination.next_link is None)


def _with_refusals(name: str, items: Iterable[Schedule | Remark]) -> Iterator[Schedule | Remark]:
    """Yield `items`, and a remark if there were rows, but not a match among them."""
    matches = refused = 0
    for item in items:
        if isinstance(item, Schedule):
            matches += len(item.matches)
            refused += len(item.refused)
        yield item
    if refused and not matches:
        yield Remark(name, f"all {refused} rows were refused", Gap.REFUSED)


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield `items` while a thread produces the next one; never more than one ahead."""
    source = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        coming = reader.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = reader.submit(next, source, end)
            yield item  # type: ignore[misc]  # the sentinel never gets here


def _following(url: str, link: str | None) -> str | None:
    """The address of the next page.

    Raises:
        ScheduleError: it leads to another site, or is no address.
    """
    if link is None:
        return None
    target = join(url, link)
    if not same_site(url, target):
        raise ScheduleError(f"{url}: its next page is on another site; it is not followed")
    return target


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            body = source.read(BYTES_MAX + 1)
    except OSError as error:
        raise ScheduleError(f"{file}: cannot be read ({error.strerror})") from error
    if len(body) > BYTES_MAX:
        raise ScheduleError(f"{file}: larger than {BYTES_MAX} bytes, which no schedule page is")
    return body
