"""Every experiment is well formed, asks a question, breaks something real, and mends it."""

from __future__ import annotations

from typing import Any

import pytest
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.loader import load_experiment

from chaos import __main__ as command
from chaos import run
from lab.errors import CannotRun
from lab.faults import registry
from lab.paths import PROJECT
from lab.substrates.plan import BROKERS
from lab.workload import profiles

NAMES = run.names()
ON_A_CLUSTER = run.names_in(run.ON_A_CLUSTER)
BY_THE_CLUSTER = ("kill_pods", "roll_out", "scale_to", "cut_by_policy")
PROMISED = {
    *("worker-pods-killed", "broker-pod-killed", "redis-pod-killed", "rolling-restart"),
    *("partition-by-policy", "scale-to-zero"),
    *("worker-kill", "worker-parent-kill", "broker-restart", "broker-kill", "leader-kill"),
    *("partition", "partition-api", "partition-database", "partition-publisher"),
    *("partition-results", "half-open", "redis-outage", "database-outage", "api-outage"),
    *("api-errors", "memory-alarm", "disk-alarm", "poison", "dead-letter-flood"),
    *("scale-to-zero-and-drain", "rolling-restart-under-load"),
}


def loaded(name: str) -> dict[str, Any]:
    content: dict[str, Any] = load_experiment(str(run.path(name)), {})
    return content


def calls(parts: list[dict[str, Any]], func: str) -> list[dict[str, Any]]:
    """The arguments of each call of a function."""
    return [
        each["provider"].get("arguments", {}) for each in parts if each["provider"]["func"] == func
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_toolkit_finds_nothing_wrong_with(name: str) -> None:
    """It also looks whether each function is there and takes the arguments."""
    ensure_experiment_is_valid(loaded(name))


@pytest.mark.parametrize("name", NAMES)
def test_it_asks_a_question_and_is_judged_and_mended(name: str) -> None:
    content = loaded(name)
    assert content["title"].endswith("?")
    assert content["description"].endswith(".")
    assert content["runtime"] == {"rollbacks": {"strategy": "always"}}
    (control,) = content["controls"]
    needs = {"brokers": run.needs(name).brokers} if run.needs(name).brokers > 1 else {}
    if name in ON_A_CLUSTER:
        needs = {"cluster": True}
    assert control["provider"] == {
        "type": "python",
        "module": "chaos.control",
        "arguments": {"name": name, **needs},
    }
    probes = content["steady-state-hypothesis"]["probes"]
    assert [each["tolerance"] for each in probes] == [True] * len(probes)
    assert {"every_part_runs", "messages_take_effect", "success_objective_is_met"} <= {
        each["provider"]["func"] for each in probes
    }
    ends = [each["provider"]["func"] for each in content["rollbacks"]]
    assert {"cure_everything", "stop_load"} <= set(ends)
    places = ["chaos", "chaos.cluster"] if name in ON_A_CLUSTER else ["chaos"]
    for part in (*probes, *content["method"], *content["rollbacks"]):
        module = "probes" if part["type"] == "probe" else "actions"
        assert part["provider"]["module"] in [f"{place}.{module}" for place in places]
        assert "background" not in part


@pytest.mark.parametrize("name", NAMES)
def test_it_breaks_something_under_load_and_cures_it_before_it_looks_again(name: str) -> None:
    method = loaded(name)["method"]
    (load,) = calls(method, "begin_load")
    profiles.find(load["profile"])
    assert len(calls(method, "end_load")) == 1
    struck = calls(method, "strike")
    for each in struck:
        registry.find(each["fault"]).completed(each.get("parameters", {}))
    assert [each["fault"] for each in calls(method, "cure")] == [each["fault"] for each in struck]
    others = ("send_useless_messages", "scale_workers", *BY_THE_CLUSTER)
    assert struck or any(calls(method, each) for each in others)


@pytest.mark.parametrize("name", ON_A_CLUSTER)
def test_one_by_the_clusters_tools_mends_what_the_cluster_was_told(name: str) -> None:
    content = loaded(name)
    method = content["method"]
    done = [each["provider"]["func"] for each in method if each["type"] == "action"]
    assert [each for each in done if each in BY_THE_CLUSTER]
    assert content["rollbacks"][0]["provider"]["func"] == "mend_cluster"
    counts = [each["count"] for each in calls(method, "scale_to")]
    assert counts in ([], [0, 1])
    assert len(calls(method, "cut_by_policy")) == len(calls(method, "mend_policies"))


def test_each_substrate_is_asked_what_it_can_do() -> None:
    assert run.names("local") == run.names_in(run.EXPERIMENTS)
    assert run.names("kubernetes")[: len(ON_A_CLUSTER)] == ON_A_CLUSTER
    assert set(run.names()) - set(run.names("kubernetes")) == {"leader-kill", "worker-parent-kill"}
    assert run.lacks(ON_A_CLUSTER[0], "local") == "be broken by a cluster's own tools"
    with pytest.raises(CannotRun, match=r"'local' cannot do this: rolling-restart \(be broken by"):
        run.chosen(["poison", "rolling-restart"], "local")


def test_each_that_the_pipeline_was_promised_is_there() -> None:
    """`partition` stands for one on each link."""
    assert set(NAMES) >= PROMISED


def test_one_that_kills_a_leader_needs_a_cluster() -> None:
    assert {name for name in NAMES if run.needs(name).brokers > 1} == {"leader-kill"}
    assert run.needs("leader-kill").brokers == max(BROKERS)


def test_the_guide_lists_every_question() -> None:
    guide = (PROJECT / "docs" / "guides" / "chaos.md").read_text("utf-8")
    rows = [f"| `{name}` | {loaded(name)['title']} |" for name in NAMES]
    assert [row for row in rows if row not in guide] == []
    assert guide.count("? |") == len(NAMES)


def test_one_that_is_not_there_is_named_with_those_that_are() -> None:
    assert run.chosen([], "local") == run.names("local")
    assert run.chosen(["poison"]) == ["poison"]
    with pytest.raises(
        CannotRun, match=r"no experiment flood; there are: .*, api-errors, api-outage, "
    ):
        run.chosen(["poison", "flood"])


def test_the_command_lists_the_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == NAMES
    assert all(line.endswith("?") for line in said)
