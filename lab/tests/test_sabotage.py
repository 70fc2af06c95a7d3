"""A defect counts as caught only if it was seen and rightly named; the table is whole."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection
from pathlib import Path

import pytest

from lab.checker import laws
from lab.checker.check import Audit, Counts
from lab.checker.measures import SUCCESS_RATIO, Objective
from lab.checker.records import Check
from lab.checker.verdict import Verdict
from lab.experiment.plugin import EVIDENCE
from lab.paths import PROJECT
from lab.sabotage import judging, result, table_page
from lab.sabotage.defect import WHICH, Defect, Red
from lab.sabotage.defects import DEFECTS, huntable
from lab.sabotage.judging import NEWEST, TRUTH, Word
from lab.sabotage.recorder import Recorder
from lab.sabotage.result import DEFECT, TWIN, Results, Tried
from lab.sabotage.scene import FOLDER, placed
from lab.substrates.plan import Role

EARLY = DEFECTS["early-ack"]
CHECKS = (TRUTH, NEWEST, "something else")


def audit(red: Collection[Red] = (), unknown: Collection[Red] = ()) -> Audit:
    """An audit with these laws, checks and objectives broken, and all others valid."""

    def of(name: Red) -> Verdict:
        known = Verdict.INVALID if name in red else Verdict.VALID
        return Verdict.UNKNOWN if name in unknown else known

    met = {Verdict.VALID: True, Verdict.INVALID: False, Verdict.UNKNOWN: None}[of(SUCCESS_RATIO)]
    return Audit(
        *("made up", None, None, None, 0.0, Verdict.INVALID, "", Counts()),
        findings=tuple(laws.Finding(law, str(law), of(law), "") for law in laws.TITLES),
        checks=tuple(Check(name, of(name), "", None) for name in CHECKS),
        objectives=(Objective(SUCCESS_RATIO, 1.0, 0.999, met, ""),),
    )


def defect(*red: Red, may: Collection[Red] = ()) -> Defect:
    return Defect("It breaks.", EARLY.patch, EARLY.scene, red, frozenset(may))


@pytest.mark.parametrize(
    ("red", "of"),
    [
        ((1,), defect(1)),
        ((1, TRUTH, SUCCESS_RATIO), defect(1)),  # what is lost is missing in the store
        ((3, NEWEST, TRUTH), defect(3)),
        ((1, 2), defect(1, may={2})),
        ((1, 3, TRUTH, NEWEST), defect(1, may={3})),
        ((TRUTH,), defect(TRUTH)),
        ((1, 4), defect(1, 4)),
    ],
)
def test_what_is_red_for_the_right_reason_and_no_other_is_caught(
    red: tuple[Red, ...], of: Defect
) -> None:
    found = judging.judge(audit(red), of)
    assert (found.word, found.why) == (Word.CAUGHT, "")
    assert set(found.red) == set(red)


@pytest.mark.parametrize(
    ("red", "unknown", "of", "word", "why"),
    [
        ((), (), defect(1), Word.MISSED, "valid in spite of it"),
        ((2,), (), defect(1), Word.MISNAMED, "not red: law 1; red: law 2"),
        ((1, 2), (), defect(1), Word.MISNAMED, "red as well: law 2"),
        ((1,), (), defect(1, 4), Word.MISNAMED, "not red: law 4; red: law 1"),
        ((1, "something else"), (), defect(1), Word.MISNAMED, "red as well: “something else”"),
        ((TRUTH,), (), defect(1), Word.MISNAMED, f"not red: law 1; red: “{TRUTH}”"),
        ((TRUTH, NEWEST), (), defect(TRUTH), Word.MISNAMED, f"red as well: “{NEWEST}”"),
        # Whatever is red: where something could not be seen, nothing was caught.
        ((1,), (5,), defect(1), Word.UNDECIDED, "unknown: law 5"),
        ((1,), (TRUTH,), defect(1), Word.UNDECIDED, f"unknown: “{TRUTH}”"),
        ((), (1,), defect(1), Word.UNDECIDED, "unknown: law 1"),
        ((1,), (SUCCESS_RATIO,), defect(1), Word.UNDECIDED, f"unknown: “{SUCCESS_RATIO}”"),
    ],
)
def test_anything_else_is_not(
    red: tuple[Red, ...], unknown: tuple[Red, ...], of: Defect, word: Word, why: str
) -> None:
    found = judging.judge(audit(red, unknown), of)
    assert (found.word, found.why) == (word, why)


def test_all_that_is_not_valid_is_told_of_a_scene_without_a_defect() -> None:
    assert judging.not_valid(audit()) == ""
    assert "1 invalid" in judging.not_valid(audit({1}))
    assert f"{TRUTH} unknown" in judging.not_valid(audit(unknown={TRUTH}))


@pytest.mark.parametrize("name", DEFECTS)
def test_every_row_starts_what_there_is_and_names_what_can_be_red(name: str) -> None:
    row = DEFECTS[name]
    assert name.replace("-", "").isalpha()
    assert row.summary.endswith(".")
    assert row.red
    assert all(each in laws.TITLES for each in row.laws)
    patch = row.patch
    modules = {
        role: (module, patch.settings.get(role, {})) for role, module in patch.wrapper.items()
    }
    started = [*modules.values()]
    if patch.scraper is not None:
        started.append((patch.scraper, patch.scraper_settings))
    assert bool(started) is (patch.by_hand is None)
    for module, settings in started:
        file = PROJECT.joinpath(*module.split(".")).with_suffix(".py")
        assert file.exists(), module
        known = _defects_of(file)
        if known:
            assert settings[WHICH] in known


def _defects_of(file: Path) -> set[str]:
    """The keys of its DEFECTS, if it has several defects."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "DEFECTS":
            assert isinstance(node.value, ast.Dict)
            return {str(ast.literal_eval(key)) for key in node.value.keys if key is not None}
    return set()


def test_no_weakened_module_has_a_defect_that_nothing_plants() -> None:
    planted = {
        (module.rpartition(".")[2], settings.get(WHICH, ""))
        for row in DEFECTS.values()
        for module, settings in [
            *((row.patch.wrapper[r], row.patch.settings.get(r, {})) for r in row.patch.wrapper),
            (row.patch.scraper or "", row.patch.scraper_settings),
        ]
    }
    for name in ("weak_worker", "weak_backend", "weak_scraper"):
        file = PROJECT / "system" / "tests" / "weakened" / f"{name}.py"
        assert _defects_of(file) == {which for module, which in planted if module == name}


def test_a_defect_wins_over_what_its_scene_starts_and_keeps_the_rest() -> None:
    row = DEFECTS["ack-on-time-limit"]
    plan = row.patch.on(row.scene.setup.plan)
    assert plan["wrapper"][Role.WORKER].endswith("acked_timeout")
    assert plan["settings"] == row.scene.setup.plan["settings"]
    dying = DEFECTS["no-receipt-before-ack"]
    plan = placed(dying.patch.on(dying.scene.setup.plan), Path("/files"))
    assert plan["wrapper"][Role.WORKER].endswith("dying_worker")
    assert plan["wrapper"][Role.API].endswith("weak_backend")
    assert plan["settings"][Role.API] == {"DIE_FILE": "/files/api", WHICH: "receipt"}
    assert FOLDER not in json.dumps(plan)
    assert "early-ack" in huntable()
    assert "no-receipt-before-ack" not in huntable()


class Report:
    """As much of pytest's as a recorder reads."""

    def __init__(self, name: str, kept: tuple[str, object] | None = None) -> None:
        planted = kept is None or kept[0] == DEFECT
        test = "test_a_planted_defect" if planted else "test_without_a_defect"
        self.nodeid = f"scenarios/test_sabotage.py::{test}[{name}]"
        self.when, self.passed, self.duration = "call", False, 3.0
        self.user_properties = [] if kept is None else [(EVIDENCE, list(kept))]
        self.longrepr = "Failed: Timeout (>300.0s) from pytest-timeout."


def test_what_ends_without_a_word_has_failed_and_what_is_seen_is_kept(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = Recorder(said.append, "2026-01-02")
    caught = {"word": "caught", "red": [1, TRUTH], "why": "", "seconds": 4.5}
    for report in (
        Report(EARLY.scene.name, (TWIN, {"wrong": ""})),
        Report("early-ack", (DEFECT, caught)),
        Report("no-gate"),
    ):
        recorder.pytest_runtest_logreport(report)  # type: ignore[arg-type]

    found = recorder.results()

    assert found.defects["early-ack"] == Tried("caught", (1, TRUTH), 4.5, "2026-01-02")
    assert found.is_good("early-ack", EARLY)
    assert found.defects["no-gate"].word == "failed"
    assert "Timeout" in found.defects["no-gate"].why
    assert found.valid_without(DEFECTS["no-gate"]) is None
    assert not found.is_good("no-gate", DEFECTS["no-gate"])
    assert any("early-ack: caught by law 1" in line for line in said)
    result.write(found, tmp_path / "measured.json")
    assert result.read(tmp_path / "measured.json") == found
    assert result.read(tmp_path / "none.json") == Results()
    assert found.of({"early-ack": EARLY}).defects.keys() == {"early-ack"}
    assert Results().after(found) == found

    page = table_page.render(DEFECTS, found)

    assert "(2026-01-02), 1 of 2 were caught" in page
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert rows.keys() == DEFECTS.keys()
    assert rows["early-ack"].endswith(f"| law 1, “{TRUTH}” | 4 |")
    assert "**failed**" in rows["no-gate"]
    assert "not tried yet" in rows["last-wins"]


def test_a_caught_defect_whose_scene_is_red_without_it_is_not_good() -> None:
    recorder = Recorder(lambda line: None, "2026-01-02")
    caught = {"word": "caught", "red": [1], "why": "", "seconds": 4.5}
    twin = {"wrong": "1 invalid: lost"}
    recorder.pytest_runtest_logreport(Report(EARLY.scene.name, (TWIN, twin)))  # type: ignore[arg-type]
    recorder.pytest_runtest_logreport(Report("early-ack", (DEFECT, caught)))  # type: ignore[arg-type]
    assert not recorder.results().is_good("early-ack", EARLY)
