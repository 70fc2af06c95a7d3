"""The life of a release: what Kubernetes and Helm do with the system, and what becomes of messages.

The chart is installed as its users install it, on the cluster whose context is named. Then pods are
deleted, scaled, replaced and put back under load, and the ledger accounts for every message.
"""

from __future__ import annotations

import pytest

from lab.experiment.plugin import Evidence, OpenRelease, Recorded
from lab.faults.residue import Leaves
from lab.substrates.release import NAME, Release, must
from lab.wait import eventually, stopwatch
from scenarios.support import released
from scenarios.support.refusals import because

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

WORKER, BROKER = "celery-worker", "rabbitmq"
DEPLOYMENT, STATEFULSET = f"deployment/{WORKER}", f"statefulset/{BROKER}"
SOME = 100
"""Messages that take effect between two steps: some seconds of load."""
UPGRADE_S = "300s"
SLACK_S = 10.0
"""What a kubelet needs to act on a probe, at most."""
NO_IMAGE_S = "20s"
"""How long Helm waits for an image that is not there."""


@pytest.fixture(scope="module")
def cluster_release(open_release: OpenRelease) -> Release:
    """A namespace for all experiments of this module; nothing is installed yet."""
    return open_release("release")


@pytest.fixture
def release(cluster_release: Release) -> Release:
    """The release, installed and whole."""
    if not released.is_whole(cluster_release):
        must(cluster_release.upgrade("--wait", "--force-conflicts", "--timeout", UPGRADE_S))
        for part in released.PARTS:
            cluster_release.ready(part)
    return cluster_release


def test_one_command_installs_all_of_it(cluster_release: Release, evidence: Evidence) -> None:
    """`helm upgrade --install --wait` ends when every part is ready; `helm test` sees it work.

    The test sends a message through broker, worker and Redis, from within the cluster, and changes
    nothing.
    """
    with stopwatch() as seconds:
        installed = cluster_release.upgrade("--wait", "--timeout", UPGRADE_S)
        evidence("seconds until every part was ready", round(seconds()))
    must(installed)
    pods = {part: cluster_release.pods(part) for part in released.PARTS}
    evidence("pods", sorted(each.name for found in pods.values() for each in found))
    with stopwatch() as seconds:
        tested = cluster_release.helm("test", NAME, "--logs")
        evidence("seconds of `helm test`", round(seconds()))
    evidence("what the test says", tested.stdout.strip().splitlines()[-3:])
    evidence("`helm history`", released.history(cluster_release))
    assert all(each.ready for found in pods.values() for each in found)
    assert tested.code == 0, tested.stderr


def test_a_statefulset_brings_the_same_pod_again_and_a_deployment_another_one(
    release: Release, evidence: Evidence
) -> None:
    """A deleted pod of a StatefulSet comes back with its name and data, of a Deployment without.

    In both a file is written beforehand: in the broker's on its claim, in the worker's on what goes
    with the pod.
    """
    seen = {}
    for part, file in ((BROKER, "/var/lib/rabbitmq/mnesia/mark"), (WORKER, "/var/lib/worker/mark")):
        (before,) = release.ready(part)
        release.kubectl("exec", before.name, "--", "sh", "-c", f"echo here > {file}")
        with stopwatch() as seconds:
            after = released.replace(release, part)
            evidence(f"{part}: seconds until another pod was ready", round(seconds(), 1))
        left = release.kubectl("exec", after.name, "--", "sh", "-c", f"cat {file} || echo gone")
        evidence(f"{part}: name before and after", [before.name, after.name])
        evidence(f"{part}: the same pod", before.uid == after.uid)
        evidence(f"{part}: the file", left.strip())
        seen[part] = (before.name == after.name, before.uid == after.uid, left.strip())
    assert seen == {BROKER: (True, False, "here"), WORKER: (False, False, "gone")}


def test_messages_wait_on_the_claim_while_the_broker_is_replaced(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """Messages that wait are on the broker's claim: a new pod of it has all of them.

    The workers are scaled to none, so that nothing is taken out meanwhile; then they come back.
    """
    with recorded("broker-replaced", release.joined(), **released.MAY_BE_LATE) as lab:
        release.scale(DEPLOYMENT, 0)
        release.ready(WORKER, 0)
        for number in range(20):
            lab.send(match_date=f"2025-12-{number + 1:02}")
        evidence("messages that wait", released.waiting(lab))
        before, after = release.pods(BROKER)[0].uid, released.replace(release, BROKER).uid
        eventually("all of them to wait again", lambda: released.waiting(lab) == 20, within_s=60)
        evidence("messages that wait in the new pod", released.waiting(lab))
        release.scale(DEPLOYMENT, 1)
        release.ready(WORKER)
        audit = released.judged(lab, evidence)
    assert before != after
    assert audit.counts.accepted == 20


def test_without_a_broker_a_worker_is_not_ready_and_not_restarted(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """While the broker is away its worker is not ready; it is not restarted, and goes on after it.

    A restart would not bring the broker back; it would only make the worker wait longer and longer
    for its next start (CrashLoopBackOff). The broker stays away for longer than liveness would need
    to notice: else nobody could tell the two probes apart.
    """
    notices_s = released.liveness_s(release, WORKER)
    with recorded("broker-away", release.joined(), **released.MAY_BE_LATE) as lab:
        (before,) = release.ready(WORKER)
        with stopwatch() as seconds:
            release.scale(STATEFULSET, 0)
            eventually(
                "the worker not to be ready",
                lambda: not release.pods(WORKER)[0].ready,
                within_s=180,
                every_s=0.5,
            )
            evidence("seconds until the worker was not ready", round(seconds()))
            release.ready(BROKER, 0)
            lab.run_for(notices_s + SLACK_S)
            evidence("seconds that the broker was away", round(seconds()))
            evidence("seconds after which liveness would restart it", notices_s)
        release.scale(STATEFULSET, 1)
        release.ready(BROKER)
        with stopwatch() as seconds:
            (after,) = release.ready(WORKER)
            evidence("seconds until it was ready again, after the broker", round(seconds()))
        evidence("restarts of the worker", after.restarts - before.restarts)
        evidence("the same pod", before.uid == after.uid)
        lab.residue = lab.residue.after(Leaves.RECONNECTS, 0)
        lab.send()
        released.judged(lab, evidence)
    assert (before.uid, before.restarts) == (after.uid, after.restarts)


def test_a_worker_that_is_asked_to_end_under_load_loses_nothing(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """A worker that is deleted under load finishes what it has begun, within its grace.

    Kubernetes asks it to end (SIGTERM) and starts another one at once. The ledger sees each message
    take effect once.
    """
    (pod,) = release.ready(WORKER)
    grace = int(release.ask("pod", pod.name)["spec"]["terminationGracePeriodSeconds"])
    with recorded("worker-ends", release.joined(), **released.MAY_BE_LATE) as lab:
        with lab.load("steady"), release.watched(pod.name) as ended:
            released.see_effects(lab, SOME)
            with stopwatch() as seconds:
                release.kubectl("delete", "pod", pod.name, "--wait=false")
                released.wait_until_gone(release, WORKER, pod.uid)
                took = seconds()
            code = ended()
            (other,) = release.ready(WORKER)
            released.see_effects(lab, SOME)
        evidence("seconds until it had ended", round(took, 1))
        evidence("seconds that it may have", grace)
        evidence("its exit code (137: it was killed)", code)
        evidence("another pod", other.name != pod.name)
        released.judged(lab, evidence)
    assert took < grace
    assert code == 0


def test_workers_come_and_go_under_load(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """Workers go from one to three and back under load: each consumes, and nothing is lost."""
    consumers = []
    with recorded("scaled", release.joined(), **released.MAY_BE_LATE) as lab:
        with lab.load("steady"):
            for count in (1, 3, 1):
                release.scale(DEPLOYMENT, count)
                release.ready(WORKER, count)
                consumers.append(released.consumers(lab, count))
                released.see_effects(lab, SOME)
        evidence("consumers of the queue with 1, 3 and 1 workers", consumers)
        released.judged(lab, evidence)
    assert consumers == [1, 3, 1]


def test_an_upgrade_replaces_pods_one_by_one_and_a_rollback_puts_back_what_was(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """An upgrade and a rollback are revisions like others; under load neither loses a message.

    The new worker is ready before the old one is asked to end. A rollback makes one more revision,
    with what the earlier one had.
    """

    def concurrency() -> str:
        worker = release.ask("deployment", WORKER)["spec"]["template"]["spec"]["containers"][0]
        return next(
            str(each["value"])
            for each in worker["env"]
            if each["name"] == "MISSING_TABLE_CONCURRENCY"
        )

    at_first = len(release.history())
    settings, broker = [concurrency()], release.pods(BROKER)[0].uid
    with recorded("upgraded", release.joined(), **released.MAY_BE_LATE) as lab:
        with lab.load("steady"):
            upgrade = release.upgrade(
                "--set", "worker.concurrency=1", "--wait", "--timeout", UPGRADE_S
            )
            must(upgrade)
            settings.append(concurrency())
            released.see_effects(lab, SOME)
            must(release.helm("rollback", NAME, str(at_first), "--wait"))
            settings.append(concurrency())
            released.see_effects(lab, SOME)
        evidence("worker.concurrency before, after the upgrade, after the rollback", settings)
        evidence("`helm history`", released.history(release))
        evidence("the broker's pod was replaced", release.pods(BROKER)[0].uid != broker)
        released.judged(lab, evidence)
    assert settings == ["2", "1", "2"]
    assert len(release.history()) == at_first + 2
    assert release.pods(BROKER)[0].uid == broker


def test_an_upgrade_with_wrong_values_changes_nothing(release: Release, evidence: Evidence) -> None:
    """An upgrade whose values are wrong is refused: no revision, and no pod is touched."""
    before = released.uids(release), len(release.history())
    refused = release.upgrade("--set", "worker.replica=3")
    evidence("exit code", refused.code)
    evidence("Helm says", because(refused.stderr))
    evidence("`helm history`", released.history(release))
    assert refused.code != 0
    assert "'replica' not allowed" in refused.stderr
    assert (released.uids(release), len(release.history())) == before


def test_an_image_that_is_not_there_is_rolled_back_and_the_old_pods_go_on(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """With an image that is not there no old pod is taken away, and Helm puts back what was.

    `--rollback-on-failure` (with Helm 3: `--atomic`) waits until its time is over. Meanwhile the
    pods that were there go on working under load.
    """
    before = released.uids(release)
    with recorded("bad-image", release.joined(), **released.MAY_BE_LATE) as lab:
        with lab.load("steady"):
            released.see_effects(lab, SOME)
            failed = release.upgrade(
                *("--set", "image.tag=of-no-release", "--set", "image.pullPolicy=IfNotPresent"),
                *("--rollback-on-failure", "--timeout", NO_IMAGE_S),
            )
            released.see_effects(lab, SOME)
        evidence("exit code", failed.code)
        evidence("`helm history`", released.history(release))
        for part in released.PARTS:
            release.ready(part)
        evidence("pods of before that still serve", len(before & released.uids(release)))
        released.judged(lab, evidence)
    assert failed.code != 0
    assert released.uids(release) == before


def test_what_is_removed_and_installed_again_finds_its_data_and_its_passwords(
    release: Release, recorded: Recorded, evidence: Evidence
) -> None:
    """`helm uninstall` keeps claims and passwords; the next installation finds both.

    Ten messages wait in the broker while everything is removed; they take effect after the
    installation, beside the matches of before.
    """
    with recorded("installed-again", release.joined(), **released.MAY_BE_LATE) as lab:
        lab.send(home_score=1, away_score=0, match_status="completed")
        lab.settle()
        evidence("matches that took effect before", len(lab.ledger.effects))
        release.scale(DEPLOYMENT, 0)
        release.ready(WORKER, 0)
        for number in range(10):
            lab.send(match_date=f"2025-11-{number + 1:02}")
        claims, passwords = release.claims(), release.passwords()
        with stopwatch() as seconds:
            must(release.helm("uninstall", NAME, "--wait", "--timeout", UPGRADE_S))
            for part in released.PARTS:
                release.ready(part, 0)
            evidence("seconds until everything had ended", round(seconds()))
        evidence("what stays: claims", sorted(release.claims()))
        evidence("what stays: passwords", len(release.passwords()))
        assert release.claims() == claims
        evidence("without the Secret, Helm says", released.refusal_without_secret(release))
        with stopwatch() as seconds:
            must(release.upgrade("--wait", "--timeout", UPGRADE_S))
            evidence("seconds until everything was there again", round(seconds()))
        evidence("the same passwords", release.passwords() == passwords)
        evidence("the same claims", release.claims() == claims)
        lab.residue = lab.residue.after(Leaves.RECONNECTS, 0)
        audit = released.judged(lab, evidence)
    assert release.passwords() == passwords
    assert release.claims() == claims
    assert audit.counts.accepted == 11
