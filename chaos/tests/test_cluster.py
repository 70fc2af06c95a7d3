"""What counts as a pod that was killed, and as a policy that allows less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chaosk8s.deployment.actions import scale_deployment
from chaoslib.exceptions import ActivityFailed

from chaos import running
from chaos.cluster import actions, driver, policies, reaching
from chaos.cluster.pods import Pod, replaced, standing
from lab.substrates.on_cluster import Place

OLD = Pod("worker-0", "w-a", "1", "celery-worker", ready=True, ending=False)
NEW = replace(OLD, name="w-b", uid="2")
BROKER = Pod("broker-0", "rabbitmq-0", "7", "rabbitmq", True, False, {"rabbitmq-data": "c1"})


def test_a_pod_stands_that_is_ready_and_stays() -> None:
    assert standing([OLD], ["worker-0"]) == {"worker-0": OLD}
    for wrong in (replace(OLD, ready=False), replace(OLD, ending=True)):
        assert standing([wrong], ["worker-0"]) == {}
    assert standing([OLD], ["worker-1"]) == {}


def test_only_another_pod_takes_the_place_of_one() -> None:
    """By its uid: a StatefulSet gives the name again."""
    assert replaced({"worker-0": OLD}, [NEW]) == {"worker-0": NEW}
    assert replaced({"worker-0": OLD}, [replace(NEW, name=OLD.name)]) != {}
    assert replaced({"worker-0": OLD}, [OLD]) == {}
    assert replaced({"worker-0": OLD}, [replace(OLD, ending=True), NEW]) == {}
    assert replaced({"worker-0": OLD}, [replace(NEW, ready=False)]) == {}
    assert replaced({"worker-0": OLD}, []) == {}


def test_one_with_another_claim_does_not_take_the_place_of_a_pod_with_data() -> None:
    again = replace(BROKER, uid="8")
    assert replaced({"broker-0": BROKER}, [again]) == {"broker-0": again}
    other = replace(again, claims={"rabbitmq-data": "c2"})
    assert replaced({"broker-0": BROKER}, [other]) == {}


def rule(component: str, port: int) -> dict[str, Any]:
    selector = {"matchLabels": {policies.COMPONENT: component}}
    return {"to": [{"podSelector": selector}], "ports": [{"protocol": "TCP", "port": port}]}


def test_a_policy_without_a_link_keeps_the_others_and_the_first_one_is_as_it_was() -> None:
    spec = {"podSelector": {}, "egress": [rule("rabbitmq", 5672), rule("redis", 6379)]}
    changed, taken = policies.without(spec, "rabbitmq")
    assert (changed["egress"], taken) == ([rule("redis", 6379)], 1)
    assert len(spec["egress"]) == 2
    assert policies.without(changed, "rabbitmq") == (changed, 0)


def test_a_part_that_is_not_there_is_no_part_to_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "pods", lambda parts: [OLD])
    with pytest.raises(ActivityFailed, match="worker-7: no pod that is ready, so nothing to break"):
        actions.kill_pods(["worker-0", "worker-7"])
    with pytest.raises(ActivityFailed, match="no pod of worker-7, so nothing can be tried"):
        reaching.callers(["worker-7"])


def test_nothing_is_done_without_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """So neither on the current context nor in the namespace `default`, which are the driver's."""
    assert running.taken() is None
    monkeypatch.setattr("chaosk8s.create_k8s_api_client", lambda secrets: pytest.fail("it was"))
    for act in (lambda: actions.kill_pods(["worker-0"]), actions.mend_cluster, driver.stopped):
        with pytest.raises(ActivityFailed, match="no session of the lab is open"):
            act()
    assert scale_deployment.__defaults__ is not None
    assert "default" in scale_deployment.__defaults__


def test_no_part_at_all_is_not_every_pod() -> None:
    with pytest.raises(ActivityFailed, match="without one all pods would be meant"):
        driver._selector(Place("context", "lab-x", "missing-table.part"), [])
