"""The kinds of substrate, by name: the only place that names one.

A new one is a package with a substrate, a provider and whatever they stand on, and one line here.
It has to pass lab/tests/test_conformance.py as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from lab.errors import CannotRun
from lab.paths import lab_command
from lab.substrates import elsewhere as elsewhere_
from lab.substrates.protocol import Endpoints, Substrate
from lab.substrates.provider import Keeps, Kept, Provider

DEFAULT = "local"
ON_A_CLUSTER = "kubernetes"
"""The one that a context of kubectl leads to."""
_PROVIDERS = {
    "local": "lab.substrates.local.provider:LocalProvider",
    "docker": "lab.substrates.docker.provider:DockerProvider",
    "kubernetes": "lab.substrates.kubernetes.provider:KubernetesProvider",
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
        raise CannotRun(f"no lab named {lab!r} is up here; start it with `{lab_command('up')}`")
    return found.endpoints


def endpoints_elsewhere(api_url: str, environment: Mapping[str, str]) -> Endpoints:
    """Where a system answers that runs somewhere else; see `lab.substrates.elsewhere`.

    Raises:
        CannotRun: the environment lacks an address or a password.
    """
    return elsewhere_.endpoints(api_url, environment)


def elsewhere(known: Endpoints) -> Substrate:
    """A system that runs somewhere else."""
    return elsewhere_.Elsewhere(known)


def image(*at: str) -> str:
    """The container image that the chart's values name at a place, tag included."""
    from lab.substrates.containers.images import in_chart

    return in_chart(*at)


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
