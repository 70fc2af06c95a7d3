"""Defects of the worker."""

from __future__ import annotations

import json

from lab.sabotage.defect import Defect, worker
from lab.sabotage.scenes import batches, deaths, messages, outages, pages, watched

_LOST = {"task_reject_on_worker_lost": False, "task_acks_on_failure": True}
_TRACKED = {"task_track_started": True, "task_acks_on_failure": True}

DEFECTS: dict[str, Defect] = {
    "early-ack": Defect(
        "A worker acknowledges a message before it works on it.",
        worker("eager_acks"),
        deaths.a_worker_dies_in_the_middle_of_its_tasks,
        (1,),
        frozenset({deaths.ITS_SHARE}),
    ),
    "ack-at-start": Defect(
        "A message is acknowledged when a pool child begins with it, as Celery does by default.",
        worker("late_acks"),
        deaths.a_worker_dies_in_the_middle_of_its_tasks,
        (1,),
        frozenset({deaths.ITS_SHARE}),
    ),
    "no-reject-on-lost": Defect(
        "The message of a pool child that was killed is given up.",
        worker("one_setting", json.dumps({"task_reject_on_worker_lost": False})),
        deaths.a_pool_child_dies_with_its_match,
        (4,),
    ),
    "lost-with-its-child": Defect(
        "A worker acknowledges a message whose pool child was killed, as Celery does by default.",
        worker("one_setting", json.dumps(_LOST)),
        deaths.a_pool_child_dies_with_its_match,
        (1,),
    ),
    "ack-on-time-limit": Defect(
        "A worker acknowledges what its hard time limit had to kill.",
        worker("acked_timeout"),
        deaths.tasks_hang,
        (1,),
    ),
    "unbounded-prefetch": Defect(
        "A worker takes from the broker all that there is.",
        worker("weak_worker", "holds-all"),
        deaths.a_worker_dies_in_the_middle_of_its_tasks,
        (deaths.ITS_SHARE,),
    ),
    "no-gate": Defect(
        "Celery itself decides what becomes of a message that no task can read.",
        # One by one: what gathers matches takes only what has passed the gate.
        worker("ungated", MISSING_TABLE_BATCH_SIZE="1"),
        messages.no_json_comes,
        (1,),
    ),
    "swallowed-errors": Defect(
        "What fails, for whatever reason, is acknowledged and forgotten.",
        worker("weak_worker", "swallows"),
        outages.the_api_is_away,
        (1,),
        frozenset({outages.BACK_OFF}),
    ),
    "forgotten-retries": Defect(
        "What should be tried again is acknowledged and forgotten.",
        worker("weak_worker", "forgets-retries"),
        outages.the_api_is_away,
        (1,),
    ),
    "believed-outage": Defect(
        "A match that the API did not answer counts as stored.",
        worker("weak_worker", "believes"),
        outages.the_api_is_away,
        (1,),
    ),
    "no-patience": Defect(
        "What fails since the API is away for a moment is dead-lettered at once.",
        worker("weak_worker", "gives-up"),
        outages.the_api_is_away,
        (4,),
    ),
    "no-backoff": Defect(
        "What failed is tried again at once, and again.",
        worker("weak_worker", "hurries"),
        outages.the_api_is_away,
        (outages.BACK_OFF,),
    ),
    "new-id-at-retry": Defect(
        "A retry is a new message with an id of its own.",
        worker("weak_worker", "renames"),
        outages.the_api_is_away,
        (1,),
    ),
    "retried-for-ever": Defect(
        "A match that breaks the contract is tried again, in the hope that it no longer does.",
        worker("weak_worker", "persists"),
        messages.broken_messages_come,
        (messages.AT_ONCE,),
    ),
    "no-dead-letters": Defect(
        "What is given up is acknowledged and forgotten.",
        worker("dead_letter"),
        messages.broken_messages_come,
        (1,),
        frozenset({messages.AT_ONCE}),
    ),
    "mute-dead-letters": Defect(
        "A dead letter does not say why it died.",
        worker("weak_worker", "says-nothing"),
        messages.broken_messages_come,
        (4,),
        frozenset({messages.AT_ONCE}),
    ),
    "dropped-matches": Defect(
        "One match in twenty is acknowledged, and nobody looks at it.",
        worker("weak_worker", "drops-some"),
        pages.a_season_goes_by,
        (1,),
    ),
    "turned-scores": Defect(
        "The goals of the guests are stored for the hosts.",
        worker("weak_worker", "turns-scores"),
        pages.a_season_goes_by,
        ("every stored match equals the season's truth",),
    ),
    "emptied-at-start": Defect(
        "A worker empties its queue when it starts.",
        worker("weak_worker", "begins-anew"),
        messages.pages_are_read_while_no_worker_is_there,
        (1,),
    ),
    "needed-results": Defect(
        # What took effect is dead-lettered all the same: it is in two places, without need.
        "A worker stores a result for each match, which fails without Redis.",
        worker("stored_results"),
        outages.results_are_away,
        (1, 4),
    ),
    "tracked-tasks": Defect(
        "A worker tells Redis that a task begins, and acknowledges it where that fails.",
        worker("stored_results", json.dumps(_TRACKED)),
        outages.results_are_away,
        (1,),
    ),
    "counts-forgotten": Defect(
        "A worker counts from nothing whenever it starts.",
        worker("weak_worker", "forgets-counts"),
        watched.a_worker_dies_and_its_counters_go_on,
        (watched.ACCOUNTS,),
    ),
    "events-in-an-alarm": Defect(
        "A worker tells of itself by confirmed messages, and so waits as long as an alarm lasts.",
        worker("chatty"),
        outages.an_alarm_is_raised,
        (outages.GOES_ON,),
    ),
    "hasty-batch": Defect(
        "A batch is acknowledged before a pool child has it; a child dies before it applies it.",
        worker("dying_worker", "hasty"),
        batches.CHILD_BEFORE_APPLY,
        (1,),
    ),
    "hasty-batch-and-parent": Defect(
        "A batch is acknowledged before a pool child has it; the worker dies with it.",
        worker("dying_worker", "hasty"),
        batches.BEFORE_BATCH,
        (1,),
    ),
    "guilty-batch": Defect(
        "A batch that dies with its child is given up as a whole.",
        worker("dying_worker", "guilty"),
        batches.CHILD_BEFORE_BATCH,
        (4,),
    ),
    "forgetful-batch": Defect(
        "What a batch could not apply is acknowledged, and nothing of it is published.",
        worker("dying_worker", "forgetful"),
        batches.BEFORE_STORE,
        (1,),
    ),
}
