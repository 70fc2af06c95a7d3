"""`lab fault strike` and `lab fault cure`, as a person types them beside a lab that is up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lab.checker import check
from lab.checker.measures import LATENCY_MEAN
from lab.cli.app import app
from lab.errors import CannotRun, LabError, SubstrateError
from lab.experiment.lab import Lab
from lab.experiment.plugin import Stage, running
from lab.experiment.session import session
from lab.experiment.work import JOINING
from lab.faults import registry
from lab.history import log
from lab.paths import lab_command
from lab.substrates.local import Local, control
from lab.substrates.local.attached import Attached
from lab.substrates.local.instance import BASE
from lab.substrates.plan import Link
from lab.substrates.provider import Provider
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WITHIN_S = 40.0
LINK = "link=worker-broker"
Type = Callable[..., Result]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the commands run in; its labs are found there."""
    folder = tmp_path_factory.mktemp("by-hand")
    (folder / BASE).symlink_to(folder / "lab")
    return folder


@pytest.fixture(scope="module")
def kept(place: Path, substrates: Provider) -> Iterator[Lab]:
    """A lab that this process keeps, with the relay of one link."""
    plan = {"relayed": frozenset({Link.WORKER_BROKER})}
    with running(Stage.below(place), plan, provider=substrates) as lab:
        local = lab.substrate
        assert isinstance(local, Local)
        strike = registry.striker(local, lab.endpoints)
        with control.served(local._instance.folder, local, strike):
            yield lab


@pytest.fixture
def name(kept: Lab) -> str:
    assert isinstance(kept.substrate, Local)
    return kept.substrate._instance.name


@pytest.fixture
def fault(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Type]:
    """Type `lab fault …`; afterwards nothing is broken any more."""
    monkeypatch.chdir(place)

    def typed(verb: str, *words: str) -> Result:
        return CliRunner().invoke(app, ["fault", verb, *words, "--name", name])

    yield typed
    typed("cure", "--all")


def status(name: str) -> tuple[int, str]:
    """What `lab status` says."""
    said = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["status", "--name", name])
    return said.exit_code, said.output


def test_it_lasts_until_it_is_cured_and_the_status_says_so(
    kept: Lab, name: str, fault: Type
) -> None:
    """The command that struck has ended long before."""
    struck = fault("strike", "worker-paused", "--set", "index=0")
    assert struck.exit_code == 0, struck.output
    assert "Struck: worker-paused index=0. SIGSTOP" in struck.output
    cure = lab_command("fault", "cure", "worker-paused", "--name", name)
    assert f"It lasts until it is cured: `{cure}`." in struck.output
    code, said = status(name)
    assert code == 1
    assert "paused" in said
    assert "Broken on purpose: worker-paused index=0, for " in said

    again = fault("strike", "worker-paused")
    assert isinstance(again.exception, CannotRun)
    assert "worker-paused index=0 is at work already, struck by hand" in str(again.exception)

    cured = fault("cure", "worker-paused")
    assert (cured.exit_code, cured.output) == (0, "Cured: worker-paused index=0.\n")
    code, said = status(name)
    assert (code, "Broken on purpose" in said) == (0, False)


def test_it_ends_by_itself_when_its_time_is_over(kept: Lab, name: str, fault: Type) -> None:
    struck = fault("strike", "link-cut", "--for", "2s", "--set", LINK)
    assert f"Struck: link-cut {LINK}" in struck.output  # to ask for its status may take longer
    eventually("it to be cured", lambda: "Broken" not in status(name)[1], within_s=WITHIN_S)
    nothing = fault("cure", "--all")
    assert (nothing.exit_code, nothing.output) == (0, "Nothing was broken.\n")


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (
            ("strike", "earthquake"),
            CannotRun,
            "no fault 'earthquake'; there are: api-errs, api-killed",
        ),
        (("strike", "link-cut", "--set", "link=moon"), CannotRun, "takes link as one of: scraper"),
        (("strike", "link-cut", "--set", "speed=1"), CannotRun, "no parameter speed; it has: link"),
        (("strike", "link-cut", "--set", "link"), CannotRun, "name=value"),
        (("strike", "api-killed", "--for", "soon"), CannotRun, "--for must be a time"),
        (("strike", "link-cut", "--set", "link=worker-api"), SubstrateError, " up --breakable`"),
        (("strike", "worker-killed", "--set", "index=7"), SubstrateError, "no worker-7"),
        (("cure", "worker-killed"), CannotRun, "was not struck by hand"),
        (("cure", "earthquake"), CannotRun, "no fault 'earthquake'"),
        (("cure",), CannotRun, "name one fault, or say --all"),
        (("cure", "api-killed", "--all"), CannotRun, "name one fault, or say --all"),
    ],
)
def test_what_cannot_be_done_is_refused_and_breaks_nothing(
    words: tuple[str, ...], kind: type[LabError], reason: str, name: str, fault: Type
) -> None:
    refused = fault(*words)
    assert isinstance(refused.exception, kind), refused
    assert reason in str(refused.exception)
    assert "Broken on purpose" not in status(name)[1]


def test_a_run_beside_it_has_it_on_record_and_is_valid(
    kept: Lab, fault: Type, tmp_path: Path
) -> None:
    """The report shades what somebody else breaks meanwhile, and settling allows for it."""
    assert isinstance(kept.substrate, Local)
    place, asked = Attached(kept.substrate._instance), {LATENCY_MEAN: None}
    with session("beside", place, JOINING, runs=tmp_path, objectives=asked) as lab:
        with lab.load("steady"):
            lab.run_for(1)
            assert fault("strike", "link-cut", "--set", LINK).exit_code == 0
            lab.run_for(2)
            assert fault("cure", "link-cut").exit_code == 0
            lab.run_for(1)
        eventually("it to be on record", lambda: lab.residue.reconnects, within_s=WITHIN_S)
        lab.finish()
        audit = check.audit(log.read(lab.folder / log.FILE))
    assert audit.valid, audit.why
    assert audit.counts.accepted > 50
    (seen,) = audit.faults
    assert seen.name == "link-cut"
    assert seen.to is not None
    assert 1 < (seen.to - seen.begun).total_seconds() < 30


def test_one_that_is_not_up_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    for words in (["strike", "api-killed"], ["cure", "--all"]):
        said = CliRunner().invoke(app, ["fault", *words, "--name", "nobody"])
        assert isinstance(said.exception, CannotRun)
        assert "no lab named 'nobody' is up here; start it with `" in str(said.exception)
        assert " up --name nobody`" in str(said.exception)


def test_programs_read_what_is_struck_from_the_status(name: str, fault: Type) -> None:
    fault("strike", "api-paused", "--for", "1m")
    said = CliRunner().invoke(app, ["status", "--json", "--name", name])
    (breach,) = json.loads(said.output)["breaches"]
    assert (breach["fault"], breach["by_hand"]) == ("api-paused", True)
    assert 59 < breach["until"] - breach["since"] < 61


def test_the_end_of_the_lab_cures_what_was_to_last(
    kept: Lab, name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    local = kept.substrate
    assert isinstance(local, Local)
    with control.served(tmp_path, local, registry.striker(local, kept.endpoints)):
        client = control.Client(tmp_path)
        client.call("strike_by_hand", fault="api-paused", parameters={}, for_s=None)
        client.close()
        assert "Broken on purpose: api-paused" in status(name)[1]
    code, said = status(name)
    assert (code, "Broken on purpose" in said) == (0, False)
