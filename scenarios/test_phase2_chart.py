"""Phase 2: Kubernetes and Helm.

What the chart describes is looked at before anything runs: which object stands for which part, what
keeps its data, how long a worker may take to end, and what is refused. Real Helm renders it on this
machine and talks to no cluster. What happens on one comes in the second half,
`test_phase2_release`.
"""

from __future__ import annotations

import pytest

from lab.dev.chart import CHART
from lab.experiment.plugin import Evidence
from scenarios.support import rendered
from scenarios.support.refusals import because
from scenarios.support.rendered import RefusedValues, render

ALL, LOCAL, GKE = (
    ("--values", str(CHART / f"values-{name}.yaml")) for name in ("all", "local", "gke")
)
WRONG = {
    "a misspelt value": ("worker.replica=3", "additional propert.*'replica' not allowed"),
    "a number that cannot be": ("worker.concurrency=0", "/worker/concurrency"),
    "a broker that would have no majority": ("rabbitmq.replicas=2", "/rabbitmq/replicas"),
    "a hard limit below the soft one": (
        "worker.hardTimeLimitSeconds=20",
        "hardTimeLimitSeconds must be more than",
    ),
    "two that would set one number": (
        "worker.autoscaling.enabled=true,worker.keda.enabled=true",
        "exclude each other",
    ),
    "workers without a broker": ("rabbitmq.enabled=false", "needs rabbitmq.enabled"),
}
"""What a values file may get wrong, the setting, and what Helm has to say then."""


def test_each_part_has_the_kind_of_object_that_fits_it(evidence: Evidence) -> None:
    """What has data of its own is a StatefulSet; what can be replaced by another one, a Deployment.

    The scraper, which runs by the clock, is a CronJob; the migration, which runs once, a Job.
    """
    kinds = rendered.controllers(*ALL)
    for kind, names in kinds.items():
        evidence(kind, names)
    assert kinds["StatefulSet"] == ["database", "prometheus", "rabbitmq", "redis"]
    assert {"backend", "celery-worker"} <= set(kinds["Deployment"])
    assert kinds["CronJob"] == ["scraper"]
    assert kinds["Job"] == ["backend-migrate"]
    with_claims = {name for name, claims in rendered.claims(*ALL).items() if claims}
    assert with_claims >= set(kinds["StatefulSet"])
    assert not with_claims & set(kinds["Deployment"]) - {"scraper-exporter"}


def test_what_is_written_elsewhere_than_on_a_claim_goes_with_the_pod(evidence: Evidence) -> None:
    """A pod can write to its claims, to folders that go with it, and nowhere else.

    The root of each container is read-only. So the list of its claims is the list of what survives.
    """
    for name, claims in rendered.claims(*ALL).items():
        evidence(name, claims or "nothing")
    writable = rendered.writable_roots(*ALL)
    kept = rendered.retention(*ALL)
    evidence("containers that may write to their own root", writable)
    evidence("what becomes of a StatefulSet's claims when it is removed", kept)
    assert writable == []
    assert set(kept.values()) == {"Retain"}


def test_the_halves_add_up_to_the_whole(evidence: Evidence) -> None:
    """The messaging half and the cloud half have no part in common; together they are the whole.

    But for the database, which the cloud half has as a service of the cloud.
    """
    whole, messaging, cloud = (rendered.parts(*values) for values in (ALL, LOCAL, GKE))
    evidence("values-local.yaml, on K3s", sorted(messaging))
    evidence("values-gke.yaml, on GKE", sorted(cloud))
    evidence("in values-all.yaml only", sorted(whole - messaging - cloud))
    assert not messaging & cloud
    assert messaging | cloud <= whole
    assert whole - messaging - cloud == {"database", "postgres-exporter"}


def test_each_name_leads_to_the_pods_of_one_part(evidence: Evidence) -> None:
    """A Service is a name for the pods that have its labels; each name here leads to one part.

    A selector that fits nothing is no error to Kubernetes: connections are refused, that is all.
    """
    leads = rendered.selected(*ALL)
    for service, parts in leads.items():
        evidence(f"svc/{service}", parts)
    assert {service: len(parts) for service, parts in leads.items()} == dict.fromkeys(leads, 1)


def test_the_time_to_end_is_computed_from_what_a_worker_may_have_begun(evidence: Evidence) -> None:
    """A worker may take preStop, both time limits and some slack to end, then it is killed.

    Kubernetes' own default is 30 s; the longest task here may take 70 s. Whoever raises a limit
    gets the longer grace with it.
    """
    limits = {
        "as it is": (),
        "a soft limit of 60 s, a hard one of 90 s": (
            *("--set", "worker.softTimeLimitSeconds=60", "--set", "worker.hardTimeLimitSeconds=90"),
        ),
        "and 15 s before it is asked to end": (
            *("--set", "worker.softTimeLimitSeconds=60", "--set", "worker.hardTimeLimitSeconds=90"),
            *("--set", "worker.preStopSeconds=15"),
        ),
    }
    seen = {}
    for words, options in limits.items():
        seen[words] = rendered.grace("celery-worker", *ALL, *options)
        evidence(words, f"{seen[words]} s")
    soft, hard = rendered.time_limits(*ALL)
    assert min(seen.values()) > soft + hard > 30
    assert [*seen.values()] == [30 + 40 + 20, 60 + 90 + 20, 15 + 60 + 90 + 20]


def test_a_probe_asks_only_what_its_answer_can_mend(evidence: Evidence) -> None:
    """A probe asks only what its answer can mend: readiness and liveness ask two things.

    A worker is ready while it consumes. It is alive as long as its loop goes on, also without a
    broker, and is restarted only after minutes in which it did not. Broker and database have no
    liveness probe: one that recovers its data is slow, and a restart would begin that anew.
    """
    probes = rendered.probes(*ALL)
    for name, asked in probes.items():
        evidence(name, asked)
    worker = probes["celery-worker"]
    assert "/run/worker/ready" in worker["readiness"]
    assert "/run/worker/alive" in worker["liveness"]
    assert "ready" not in worker["liveness"]
    assert "liveness" not in probes["rabbitmq"]
    assert "liveness" not in probes["database"]
    assert probes["backend"]["readiness"] != probes["backend"]["liveness"]
    assert all("readiness" in asked for asked in probes.values())


def test_nothing_runs_as_root_or_has_rights_in_the_cluster(evidence: Evidence) -> None:
    """No pod runs as root or has a token of the cluster, and the chart asks for no rights there."""
    found = rendered.rights(*ALL)
    for what, number in found.items():
        evidence(what, number)
    assert found["pods"] > 10
    assert found["pods that may run as root"] == []
    assert found["pods with a token of the cluster"] == []
    assert found["roles and bindings"] == []


def test_each_rendering_makes_other_passwords(evidence: Evidence) -> None:
    """What only renders the chart (`helm template`, ArgoCD) makes new passwords each time.

    `helm install` looks whether there is a Secret already. Who cannot look gives the name of a
    Secret of one's own; then the chart makes none.
    """
    first, second = (rendered.secret(*ALL, "--set", f"secrets.revision={n}") for n in (1, 2))
    same = sorted(key for key in first if first[key] == second[key])
    own = rendered.secret(*ALL, "--set", "secrets.existingSecret=mine")
    evidence("passwords", len(first))
    evidence("the same in two renderings", same)
    evidence("made beside a Secret of one's own", len(own))
    assert len(first) >= 10
    assert same == []
    assert own == {}


@pytest.mark.parametrize("what", WRONG)
def test_values_that_are_wrong_are_refused_before_anything_happens(
    what: str, evidence: Evidence
) -> None:
    """Values that make no sense are refused with words, and no cluster is asked for anything."""
    setting, words = WRONG[what]
    evidence("set", setting)
    with pytest.raises(RefusedValues, match=words) as refused:
        render(*ALL, "--set", setting)
    evidence("Helm says", because(str(refused.value)))
