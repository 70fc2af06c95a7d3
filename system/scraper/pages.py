"""Where pages come from: saved files, or addresses followed from page to page. One page at a time.

Pagination is not trusted: an address is read once, two pages in a row that only repeat earlier ones
end the reading, and a limit bounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urldefrag

from system.errors import ScheduleError
from system.scraper.address import join, same_site
from system.scraper.fetch import BYTES_MAX, decode
from system.scraper.parsing.schedule import Schedule, parse

PAGES_MAX = 500
_REPEATS_MAX = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stop:
    """Where and why reading stopped.

    Attributes:
        page: name of the page at which it stopped.
        reason: in words.
        incomplete: whether pages that exist may not have been read.
    """

    page: str
    reason: str
    incomplete: bool = True


def walk(
    urls: Sequence[str],
    *,
    fetch: Callable[[str], str],
    now: Callable[[], datetime],
    pages_max: int = PAGES_MAX,
) -> Iterator[Schedule | Stop]:
    """Read every page, starting at each address and following "Next".

    Args:
        urls: first pages.
        fetch: gives a page's text, or raises ScheduleError.
        now: the clock of observations.
        pages_max: pages in total at most.
    """
    seen_urls: set[str] = set()
    seen_rows: set[str] = set()
    for first in urls:
        url: str | None = first
        repeats = 0
        while url is not None:
            if urldefrag(url).url in seen_urls:
                yield Stop(url, "was read before; the pages run in a circle", incomplete=False)
                break
            if len(seen_urls) == pages_max:
                yield Stop(url, f"not read: the limit of {pages_max} pages is reached")
                return
            seen_urls.add(urldefrag(url).url)
            try:
                html = fetch(url)
                schedule = parse(html, page=url, now=now())
                yield schedule
                following = _following(url, schedule.next_link)
            except ScheduleError as error:
                yield Stop(url, str(error))
                break
            repeats = repeats + 1 if schedule.fingerprint in seen_rows else 0
            seen_rows.add(schedule.fingerprint)
            if repeats == _REPEATS_MAX and following is not None:
                yield Stop(
                    url, f"{_REPEATS_MAX} pages in a row repeat earlier ones", incomplete=False
                )
                break
            url = following


def saved(
    files: Sequence[Path], *, now: Callable[[], datetime], pages_max: int = PAGES_MAX
) -> Iterator[Schedule | Stop]:
    """Read saved pages, in the order given; their "Next" links are not followed."""
    for number, file in enumerate(files):
        if number == pages_max:
            yield Stop(str(file), f"not read: the limit of {pages_max} pages is reached")
            return
        try:
            yield parse(decode(_bytes(file)), page=str(file), now=now())
        except ScheduleError as error:
            yield Stop(str(file), str(error))


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
