"""Which addresses may be read: http(s), without a password, and no way off the site. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from system.errors import ScheduleError


def check_address(url: str) -> SplitResult:
    """Return the parts of an address that may be fetched.

    Raises:
        ScheduleError: it is not http(s), names no host, or carries a password, which would end up
            in logs.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ScheduleError(f"{url[:200]!r} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ScheduleError(f"{url[:200]!r} is not an http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise ScheduleError(f"{place(url)}: put no name or password into the address of a page")
    return parts


def same_site(url: str, target: str) -> bool:
    """Whether `target` is on the host and port of `url`, or its upgrade from http to https."""
    here, there = check_address(url), check_address(target)
    if here.hostname != there.hostname:
        return False
    if (here.scheme, _port(here)) == (there.scheme, _port(there)):
        return True
    return (here.scheme, _port(here)) == ("http", 80) and (
        (there.scheme, _port(there)) == ("https", 443)
    )


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def place(url: str) -> str:
    """An address without the parts that may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


def join(url: str, link: str) -> str:
    """Return the address that `link`, found at `url`, points to.

    Raises:
        ScheduleError: it is no address.
    """
    try:
        return urljoin(url, link)
    except ValueError as error:
        raise ScheduleError(f"{url}: the link {link[:200]!r} is no address: {error}") from None
