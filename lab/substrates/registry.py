"""The kinds of substrate, by name: the only place that names one.

A new one is a package with a substrate, a provider and whatever they stand on, and one line here.
It has to pass lab/tests/test_conformance.py as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from lab.errors import CannotRun
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Keeps, Kept, Provider

DEFAULT = "local"
_PROVIDERS = {
    "local": "lab.substrates.local.provider:LocalProvider",
    "fake": "lab.substrates.fake.provider:FakeProvider",
}
HIDDEN = frozenset({"fake"})
"""For the lab's own tests; not offered to people."""


def names() -> list[str]:
    """The substrates that are offered."""
    return [name for name in _PROVIDERS if name not in HIDDEN]


def find(name: str) -> Provider:
    """The provider of a kind of substrate.

    Raises:
        CannotRun: there is no such kind.
    """
    if name not in _PROVIDERS:
        raise CannotRun(f"there is no substrate {name!r}; the substrates are: {', '.join(names())}")
    module, _, factory = _PROVIDERS[name].partition(":")
    provider: Provider = getattr(import_module(module), factory)()
    return provider


def keeping(name: str) -> Keeps:
    """The provider of a kind of substrate that can keep a lab up between commands.

    Raises:
        CannotRun: there is no such kind, or it cannot.
    """
    provider = find(name)
    if not isinstance(provider, Keeps):
        raise CannotRun(f"the substrate {name!r} cannot keep a lab up between commands")
    return provider


def kept(lab: str, substrate: str = DEFAULT) -> Kept | None:
    """A lab that is up or starting; None if there is none of this name."""
    return next((each for each in keeping(substrate).labs() if each.name == lab), None)


def endpoints(lab: str = "default", substrate: str = DEFAULT) -> Endpoints:
    """Where a lab that is up answers, for programs of one's own; it holds passwords.

    Raises:
        CannotRun: there is none, or it is not up yet.
    """
    found = kept(lab, substrate)
    if found is None or found.endpoints is None:
        raise CannotRun(f"no lab named {lab!r} is up here; start it with `lab up`")
    return found.endpoints


@contextmanager
def stored_series(folder: Path) -> Iterator[str]:
    """Serve the series that a run has left in `folder`, whatever it ran on; gives the URL.

    Raises:
        CannotRun: there are no series, or this machine has no Prometheus.
        SubstrateError: Prometheus did not start.
    """
    from lab.substrates.local.series import opened

    with opened(folder) as url:
        yield url
