"""Experiments on a cluster: those that hold, and the driver's own false passes, which must fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from chaos import run
from chaos.control import KEY
from chaos.tests.place import Place
from chaos.tests.writing import action, experiment, probe, written
from lab.checker import verdict
from lab.dev.terminal import Terminal
from lab.substrates import on_cluster, registry
from lab.substrates.provider import Keeps

pytestmark = [pytest.mark.kubernetes, pytest.mark.services, pytest.mark.timeout(1500)]

LAB, ON = "chaos-on-k8s", registry.ON_A_CLUSTER
UP_WITHIN_S, GONE_WITHIN_S = 600.0, 300.0
DRIVER, OWN = "chaosk8s", "chaos.cluster"
WORKERS = ["worker-0", "worker-1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A lab that a person has started on the cluster."""
    folder = tmp_path_factory.mktemp("chaos")
    typed = Terminal(folder)
    named = ("--substrate", ON, "--name", LAB)
    with chdir(folder):
        up = typed.lab("up", *named, "--matches", "40", within_s=UP_WITHIN_S)
        try:
            assert up.code == 0, up.out + up.complaints
            yield Place(folder, registry.keeping(ON), LAB, ON)
        finally:
            typed.lab("down", *named, within_s=GONE_WITHIN_S)


@pytest.fixture(scope="module")
def where(place: Place) -> on_cluster.Place:
    """The namespace of that lab."""
    provider: Keeps = place.provider
    attached = provider.attach(LAB)
    assert isinstance(attached, on_cluster.OnACluster)
    return attached.where()


@pytest.mark.parametrize("name", run.names_in(run.ON_A_CLUSTER))
def test_it_holds(name: str, place: Place) -> None:
    """Run as a person does, by its file."""
    code, journal, said = place.run(run.path(name))
    assert code == 0, said
    assert journal[KEY]["problems"] == []
    judged = verdict.read(Path(journal[KEY]["run"]) / verdict.FILE)
    assert judged["verdict"] == "valid"
    assert judged["counts"]["accepted"] > 150
    assert place.is_whole()


LIVE: dict[str, Any] = {
    "steady-state-hypothesis": {
        "title": "It stores what it is sent",
        "probes": [probe("messages take effect", "messages_take_effect", "chaos.probes")],
    },
    "rollbacks": [action("mend what the cluster was told", "mend_cluster", f"{OWN}.actions")],
}


def driven(name: str, module: str, where: on_cluster.Place, **arguments: Any) -> dict[str, Any]:
    """A call of the driver as one writes it, on this lab."""
    made = action(name, name, f"{DRIVER}.{module}.actions", ns=where.namespace, **arguments)
    made["provider"]["secrets"] = ["k8s"]
    return made


def tried(method: list[dict[str, Any]], where: on_cluster.Place, **changes: Any) -> dict[str, Any]:
    secrets = {"k8s": {"KUBERNETES_CONTEXT": where.context}}
    return experiment(**{**LIVE, **changes}, method=method, secrets=secrets)


def test_a_kill_of_the_driver_that_met_no_pod_fails(
    place: Place, where: on_cluster.Place, tmp_path: Path
) -> None:
    selector = f"{where.label}=worker-7"
    kill = driven("terminate_pods", "pod", where, label_selector=selector, all=True)
    code, journal, said = place.run(written(tmp_path, tried([kill], where)))
    assert (code, journal["run"][0]["status"]) == (1, "succeeded"), said
    assert "method: terminate_pods says nothing of what it did: []" in journal[KEY]["problems"]


def test_a_command_of_the_driver_that_ran_nowhere_fails(
    place: Place, where: on_cluster.Place, tmp_path: Path
) -> None:
    """Without the name of a container it leaves out every pod, and says so to nobody."""
    given = {"cmd": ["kill", "-9", "1"], "label_selector": f"{where.label}=worker-0"}
    code, journal, said = place.run(
        written(tmp_path, tried([driven("exec_in_pods", "pod", where, **given)], where))
    )
    assert (code, journal["run"][0]["status"]) == (1, "succeeded"), said
    assert "method: exec_in_pods says nothing of what it did: []" in journal[KEY]["problems"]


def test_a_policy_that_only_adds_a_denial_changes_nothing_and_fails(
    place: Place, where: on_cluster.Place, tmp_path: Path
) -> None:
    """The chart's own policy goes on allowing it."""
    deny = driven("deny_all_egress", "networking", where)
    given = {"parts": WORKERS, "address": "rabbitmq:5672"}
    refused = probe("it is refused", "cannot_connect", f"{OWN}.probes", **given)
    mend = driven("remove_deny_all_egress", "networking", where)
    content = tried([deny, refused], where, rollbacks=[mend, *LIVE["rollbacks"]])
    code, journal, said = place.run(written(tmp_path, content))
    assert (code, journal["run"][0]["status"]) == (1, "succeeded"), said
    problems = "; ".join(journal[KEY]["problems"])
    assert "connects to rabbitmq:5672 all the same" in problems
    assert place.is_whole()


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (("kill_pods", {"parts": ["worker-7"]}), "worker-7: no pod that is ready"),
        (("scale_to", {"parts": ["broker-0"], "count": 0}), "no Deployment of broker-0"),
        (
            ("mend_policies", {"parts": WORKERS, "address": "rabbitmq:5672"}),
            "no policy was changed, so there is nothing to mend",
        ),
    ],
)
def test_an_action_that_met_nothing_fails(
    call: tuple[str, dict[str, Any]],
    problem: str,
    place: Place,
    where: on_cluster.Place,
    tmp_path: Path,
) -> None:
    func, given = call
    made = action("break it", func, f"{OWN}.actions", **given)
    code, journal, said = place.run(written(tmp_path, tried([made], where)))
    assert code == 1, said
    assert problem in "; ".join(journal[KEY]["problems"])
    assert place.is_whole()


def test_an_experiment_for_a_cluster_is_refused_by_a_lab_that_is_on_none(tmp_path: Path) -> None:
    typed = Terminal(tmp_path, {"LAB_NAME": "plain", "LAB_SUBSTRATE": "local"})
    assert os.environ.get("LAB_SUBSTRATE") is None
    named = ("--name", "plain")
    up = typed.lab("up", *named, "--no-monitoring", "--matches", "40")
    try:
        assert up.code == 0, up.out + up.complaints
        with chdir(tmp_path):
            plain = Place(tmp_path, registry.keeping("local"), "plain", "local")
            code, journal, said = plain.run(run.path("rolling-restart"))
        assert (code, journal["run"]) == (1, []), said
        assert "is on no cluster, and this experiment needs one" in said
    finally:
        typed.lab("down", *named)
