"""The public format: what is written keeps its schema, and the schema keeps what it promises."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from lab.checker import verdict
from lab.checker.check import as_document, audit, undecided
from lab.checker.verdict import Verdict, VerdictError, worst
from lab.paths import PROJECT
from lab.tests.histories import events, sane

VALID = as_document(audit(events(sane(5))))


def test_exit_codes_are_those_of_the_lab() -> None:
    assert [v.exit_code for v in (Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN)] == [0, 1, 2]


def test_each_verdict_has_a_sign_for_people() -> None:
    assert [v.sign for v in (Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN)] == ["✓", "✗", "?"]


@pytest.mark.parametrize(
    ("given", "over_all"),
    [
        ([], "unknown"),
        (["valid", "valid"], "valid"),
        (["valid", "unknown"], "unknown"),
        (["unknown", "invalid", "valid"], "invalid"),
    ],
)
def test_one_broken_breaks_all_and_one_unknown_leaves_all_unknown(
    given: list[str], over_all: str
) -> None:
    assert worst(Verdict(each) for each in given).value == over_all


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    verdict.write(VALID, tmp_path / "verdict.json")
    assert verdict.read(tmp_path / "verdict.json") == VALID
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_a_run_that_could_not_be_judged_has_a_verdict_too(tmp_path: Path) -> None:
    document = as_document(undecided("the disk\nis gone " + "x" * 9000, name="r"))
    verdict.write(document, tmp_path / "verdict.json")
    assert document["verdict"] == "unknown"
    assert document["why"].startswith("the disk is gone xxx")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "fine"),
        (("why",), ""),
        (("why",), "two\nlines"),
        (("counts", "lost"), -1),
        (("counts", "lost"), 1),
        (("counts", "lots"), 0),
        (("laws",), []),
        (("laws", 0, "verdict"), "unknown"),
        (("laws", 1, "examples"), ["x"] * 11),
        (("checks", 0, "verdict"), "invalid"),
        (("slo",), {}),
        (("slo", "success_ratio", "met"), False),
        (("started",), "yesterday"),
        (("seconds",), -1),
        (("latency_ms", "p50"), "12"),
    ],
    ids=str,
)
def test_a_verdict_that_breaks_the_format_is_not_written(
    tmp_path: Path, path: tuple[Any, ...], value: object
) -> None:
    """Among them: whoever says valid must not carry anything that is not."""
    broken = copy.deepcopy(VALID)
    inner: Any = broken
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(VerdictError, match=r"verdict\.schema\.json at"):
        verdict.write(broken, tmp_path / "verdict.json")
    assert not list(tmp_path.iterdir())


def test_a_verdict_is_written_for_people_too_and_over_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text("older", "utf-8")
    verdict.write(VALID, path)
    assert path.read_text("utf-8") == json.dumps(VALID, indent=2) + "\n"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(VerdictError, match=r"cannot write .*verdict\.json"):
        verdict.write(VALID, path)
    assert [each.name for each in tmp_path.iterdir()] == ["verdict.json"]
    with pytest.raises(VerdictError, match="cannot write"):
        verdict.write(VALID, tmp_path / "no folder" / "verdict.json")


def test_a_field_of_another_form_is_refused_though_its_type_is_right() -> None:
    """A time is checked as one, and the message names the field and the rule."""
    with pytest.raises(
        VerdictError, match=r"^the verdict breaks verdict\.schema\.json at faults\[0\]\.from: "
    ):
        verdict.check(VALID | {"faults": [{"name": "cut", "from": "yesterday", "to": None}]})


def test_a_verdict_that_breaks_the_format_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(VALID | {"verdict": "fine"}), "utf-8")
    with pytest.raises(VerdictError, match="at verdict: 'fine' is not one of"):
        verdict.read(path)
    with pytest.raises(VerdictError, match=r"cannot read the verdict .*missing\.json"):
        verdict.read(tmp_path / "missing.json")


def test_a_name_of_another_alphabet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(json.dumps(VALID | {"name": "Säule"}, ensure_ascii=False).encode())
    assert verdict.read(path)["name"] == "Säule"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]"])
def test_a_broken_file_is_no_verdict(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "verdict.json").write_bytes(content)
    with pytest.raises(VerdictError):
        verdict.read(tmp_path / "verdict.json")


def test_every_field_of_the_format_is_explained() -> None:
    schema = json.loads(verdict.SCHEMA_PATH.read_text("utf-8"))
    page = (PROJECT / "docs/reference/verdict.md").read_text("utf-8")
    names = [*schema["properties"], *schema["properties"]["counts"]["properties"]]
    names += schema["properties"]["slo"]["properties"]
    assert [name for name in names if f"`{name}`" not in page] == []
