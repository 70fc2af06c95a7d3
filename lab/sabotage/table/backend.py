"""Defects of the backend and of what it reads a match by."""

from __future__ import annotations

from lab.experiment.lab import Lab
from lab.sabotage.defect import Defect, Patch, backend, by_hand
from lab.sabotage.judging import NEWEST, TRUTH
from lab.sabotage.scene import Scene
from lab.sabotage.scenes import batches, deaths, messages, outages, pages, watched
from lab.sabotage.scenes.doing import answering
from lab.substrates.answering import Answer
from lab.substrates.plan import Link


def _rule(module: str) -> Patch:
    """With a setting of Python's own it is no copy of a process that has loaded the rule."""
    return backend(module, PYTHONDONTWRITEBYTECODE="1")


def _no_receipt(scene: Scene) -> Defect:
    return Defect(
        "The backend applies a message once more each time it is delivered.",
        backend("weak_backend", "receipt"),
        scene,
        (2,),
    )


def _lies(lab: Lab) -> None:
    answering(lab).answer(Link.WORKER_API, Answer.LIE)


DEFECTS: dict[str, Defect] = {
    "no-receipt": _no_receipt(messages.the_same_message_comes_twice),
    "no-receipt-lost-connection": _no_receipt(deaths.connections_are_lost_in_the_middle_of_tasks),
    "no-receipt-forked-retry": _no_receipt(deaths.a_retry_is_published_and_its_worker_dies),
    "no-receipt-child-after-apply": _no_receipt(batches.CHILD_AFTER_APPLY),
    "no-receipt-child-after-batch": _no_receipt(batches.CHILD_AFTER_BATCH),
    "no-receipt-after-batch": _no_receipt(batches.AFTER_BATCH),
    "no-receipt-before-report": _no_receipt(batches.BEFORE_REPORT),
    "no-receipt-before-ack": _no_receipt(batches.BEFORE_ACK),
    "no-receipt-after-store": _no_receipt(batches.AFTER_STORE),
    "no-receipt-broker-killed": _no_receipt(batches.BROKER_AFTER_APPLY),
    "receipt-apart": Defect(
        "The change is committed first, and its receipt in a transaction of its own.",
        backend("weak_backend", "splits"),
        batches.BEFORE_RECEIPTS,
        (3,),
    ),
    "deleted-receipts": Defect(
        "Receipts are deleted while their messages may still come again.",
        backend("weak_backend", "deletes-receipts"),
        pages.a_season_goes_by,
        (1, 2),
        frozenset({NEWEST, 3}),
    ),
    "answered-unstored": Defect(
        "One message in twenty is answered as if it were stored.",
        backend("weak_backend", "stores-some"),
        pages.a_season_goes_by,
        (1,),
    ),
    "last-wins": Defect(
        "The last message to arrive wins, however old its observation is.",
        backend("newest_wins"),
        messages.an_older_observation_comes_late,
        (3,),
    ),
    "lying-proxy": Defect(
        "Something before the API says in its name that all is stored, and passes nothing on.",
        by_hand(_lies),
        outages.matches_pass_a_proxy,
        (1,),
    ),
    "first-wins": Defect(
        "What is stored is never changed.",
        backend("weak_backend", "first-wins"),
        pages.a_season_goes_by,
        (3,),
    ),
    "lesser-id-wins": Defect(
        "Of two observations of one time the one with the lesser id wins.",
        backend("weak_backend", "lesser-id-wins"),
        messages.two_observations_have_the_same_time,
        (3,),
    ),
    "hasty-commit": Defect(
        "The backend answers before its commit is on disk.",
        backend("hasty_commit"),
        deaths.the_database_crashes_while_messages_take_effect,
        (1,),
        # If the lab has seen a receipt that is gone: a matter of moments.
        frozenset({2, 3, NEWEST}),
    ),
    "no-rules-across": Defect(
        "Rules of the contract that concern several fields, as both scores or none, are left out.",
        backend("weak_backend", "no-rules-across"),
        messages.kickoffs_come_that_no_clock_shows,
        (4,),
        frozenset({TRUTH}),
    ),
    "naive-time": Defect(
        "A kickoff in US Eastern is stored as if it were in UTC.",
        backend("weak_backend", "naive-time"),
        pages.a_season_goes_by,
        (TRUTH,),
    ),
    "two-rows": Defect(
        "A match is stored once without its number, and once with it.",
        _rule("separate_rows"),
        pages.numbers_come_late,
        (TRUTH,),
    ),
    "made-up-numbers": Defect(
        "A number that a sender made up is taken for the league's.",
        _rule("made_up_numbers"),
        pages.a_second_sender_knows_less,
        (TRUTH,),
    ),
    "early-scores": Defect(
        "A score is believed that is shown before the match is played.",
        _rule("early_scores"),
        pages.nil_is_printed_before_kickoff,
        (TRUTH,),
    ),
    "absent-is-null": Defect(
        "What a sender leaves out is erased.",
        _rule("absent_is_null"),
        pages.a_second_sender_knows_less,
        (TRUTH,),
    ),
    "names-as-sent": Defect(
        "A team has as many names as senders have for it.",
        _rule("names_as_sent"),
        pages.a_second_sender_knows_less,
        (TRUTH,),
    ),
    "visitors-counted": Defect(
        "A team that plays in a division once is in its table.",
        _rule("visitors_counted"),
        pages.teams_visit_another_division,
        (pages.TABLES,),
    ),
    "effects-counted-twice": Defect(
        "Each effect is counted twice.",
        backend("weak_backend", "counts-twice"),
        watched.a_watched_season_goes_by,
        (watched.ACCOUNTS,),
    ),
    "effects-counted-early": Defect(
        "Effects are counted before they are committed.",
        backend("weak_backend", "counts-early"),
        watched.the_database_crashes_while_effects_are_counted,
        (watched.ACCOUNTS,),
    ),
    "milliseconds": Defect(
        "A histogram of seconds is given milliseconds.",
        backend("weak_backend", "milliseconds"),
        watched.a_watched_season_goes_by,
        (watched.SAME_LATENCY,),
    ),
}
