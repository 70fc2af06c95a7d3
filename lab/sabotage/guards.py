"""How messages get lost, duplicated or stuck; what prevents it here; and the tests that show it.

Data only. `lab.sabotage.page` makes the page of it; a test checks that every name exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """One way to fail, and what prevents it.

    Attributes:
        finding: what happens without the guard.
        places: `file:symbol`, or `file:symbol[key]` for an entry of a table that it makes.
        tests: `file::name`; the first one shows it best.
    """

    finding: str
    places: tuple[str, ...]
    tests: tuple[str, ...]


_APP = "system/worker/app.py:configuration"
_WORKER = "system/worker/tests"
_DYING = f"{_WORKER}/test_dying.py"
_OUTAGES = f"{_WORKER}/test_outages.py"
_SETTINGS = f"{_WORKER}/test_settings.py"
_MALFORMED = f"{_WORKER}/test_malformed.py"
_DEAD = f"{_WORKER}/test_dead_letters.py"
_HEALTH = f"{_WORKER}/test_health.py"
_LOSS = "system/tests/test_packet_loss.py"
_TLS = "system/tests/test_tls.py"
_STORE = "system/backend/tests/test_store_concurrency.py"
_OUTAGE = "scenarios/test_outage.py"
_ENVELOPE = "system/contract/tests/test_envelope_and_topology.py"
_CRASH = "scenarios/test_worker_crash_points.py"
_PUBLISHER = "system/tests/test_publisher.py"
_NOT_TAKEN = "::test_what_no_task_can_take_is_dead_lettered_with_the_reason_and_the_worker_goes_on"
_KEEPS = "scenarios/test_guards.py::test_with_its_guards_the_system_keeps_every_law"
_BREAKS = "scenarios/test_guards.py::test_without_a_guard_the_audit_names_the_law_that_broke"

GUARDS: dict[str, tuple[Guard, ...]] = {
    "Messages are lost": (
        Guard(
            "Redis is unavailable, and a task fails before it began, or after its effect",
            (f"{_APP}[task_ignore_result]", "system/worker/gate.py:admit"),
            (
                f"{_OUTAGES}::test_without_redis_every_match_takes_effect_and_only_answers_are_missing",
                f"{_SETTINGS}::test_the_defaults_that_we_rely_on_are_still_celerys",
            ),
        ),
        Guard(
            "A hard time limit kills the pool child and acknowledges its message",
            (f"{_APP}[task_acks_on_timeout]",),
            (
                f"{_DYING}::test_a_hard_time_limit_kills_the_child_and_keeps_the_message",
                f"{_DYING}::test_without_the_setting_a_hard_time_limit_loses_the_message",
            ),
        ),
        Guard(
            "A message whose body is not JSON is acknowledged without being processed",
            (
                "system/worker/consumer.py:GatedConsumer.create_task_handler",
                "system/worker/gate.py:admit",
            ),
            (f"{_MALFORMED}{_NOT_TAKEN}", _BREAKS),
        ),
        Guard(
            "A message that is routed to no queue is dropped, although the broker confirms it",
            ("system/messaging/publisher.py:Publisher",),
            (
                f"{_PUBLISHER}::test_the_unroutable_is_refused_with_words_and_the_next_batch_goes_through",
                "scenarios/test_phase1_safety.py::test_unroutable_is_silent_unless_mandatory",
            ),
        ),
        Guard(
            "A message counts as sent before the broker has confirmed it",
            ("system/messaging/publisher.py:Publisher",),
            (
                _KEEPS,
                _BREAKS,
                f"{_PUBLISHER}::test_a_broker_that_dies_and_comes_back_amid_a_batch_gets_all_of_it",
            ),
        ),
        Guard(
            "A retry cannot be published, and its message is acknowledged all the same",
            ("system/worker/handling.py:Handler._publish", "system/worker/tasks.py:register"),
            (
                f"{_CRASH}::test_a_worker_killed_at_any_point_loses_and_doubles_nothing",
                f"{_OUTAGES}::test_while_the_store_is_away_matches_climb_the_ladder_and_then_all_take_effect",
            ),
        ),
        Guard(
            "A worker acknowledges a message before it processes it, and dies in between",
            (f"{_APP}[task_acks_late]",),
            (
                _KEEPS,
                _BREAKS,
                f"{_CRASH}::test_a_worker_killed_at_any_point_loses_and_doubles_nothing",
            ),
        ),
        Guard(
            "A pool child is killed, and its parent acknowledges the message",
            (f"{_APP}[task_reject_on_worker_lost]",),
            (
                f"{_DYING}::test_the_message_of_a_killed_child_is_delivered_again_and_takes_effect_once",
                f"{_DYING}::test_without_the_setting_the_message_of_a_killed_child_is_lost",
            ),
        ),
        Guard(
            "An unexpected error acknowledges the message",
            (f"{_APP}[task_acks_on_failure]",),
            (f"{_SETTINGS}::test_a_bug_that_nobody_foresaw_costs_no_message",),
        ),
        Guard(
            "A message with an expiry time is dropped when that has passed",
            ("system/worker/gate.py:admit",),
            (f"{_MALFORMED}::test_a_wish_that_would_hold_or_drop_a_match_is_not_heard",),
        ),
        Guard(
            "A worker that is told to stop drops the messages that it is processing",
            ("system/worker/__main__.py:main",),
            (f"{_DYING}::test_a_worker_that_is_asked_to_end_finishes_what_it_has_in_hand",),
        ),
    ),
    "Messages get stuck": (
        Guard(
            "A worker that is told to stop waits for a server that never answers",
            ("system/client.py:BackendClient", f"{_APP}[task_time_limit]"),
            (
                f"{_DYING}::test_a_worker_that_is_asked_to_end_does_not_wait_for_an_api_that_never_answers",
            ),
        ),
        Guard(
            "A task hangs and blocks its pool child for ever",
            (f"{_APP}[task_soft_time_limit]", f"{_APP}[task_time_limit]"),
            (
                f"{_DYING}::test_a_soft_time_limit_is_a_failure_that_passes",
                f"{_DYING}::test_a_hard_time_limit_kills_the_child_and_keeps_the_message",
            ),
        ),
        Guard(
            "Publishing events, with confirms, blocks the worker while the broker has an alarm",
            ("system/worker/__main__.py:main", f"{_APP}[worker_enable_remote_control]"),
            (f"{_SETTINGS}::test_the_defaults_that_we_rely_on_are_still_celerys",),
        ),
        Guard(
            "A task outlasts the broker's consumer timeout, and the worker exits",
            (f"{_APP}[broker_channel_error_retry]",),
            (
                f"{_SETTINGS}::test_a_task_that_outlasts_the_brokers_patience_does_not_end_the_worker",
            ),
        ),
        Guard(
            "A malformed message crashes the worker, again at each redelivery",
            ("system/worker/consumer.py:GatedConsumer", "system/worker/gate.py:admit"),
            (
                f"{_MALFORMED}{_NOT_TAKEN}",
                f"{_MALFORMED}::test_headers_that_can_be_read_but_not_written_again_lose_no_message",
                f"{_MALFORMED}::test_a_timestamp_that_is_no_time_stops_nothing",
                f"{_WORKER}/test_gate.py::test_nothing_that_arrives_raises_anything_but_a_refusal",
            ),
        ),
        Guard(
            "Messages with an `eta` far in the future are held by the worker and block the others",
            ("system/worker/gate.py:admit",),
            (
                f"{_MALFORMED}::test_a_wish_that_would_hold_or_drop_a_match_is_not_heard",
                f"{_WORKER}/test_gate.py::test_no_wish_of_a_sender_to_delay_expire_or_chain_gets_through",
            ),
        ),
        Guard(
            "A worker stops trying to reach a broker that is unavailable for long, or at startup",
            (
                f"{_APP}[broker_connection_max_retries]",
                f"{_APP}[broker_connection_retry_on_startup]",
            ),
            (
                f"{_SETTINGS}::test_a_broker_that_stays_away_is_waited_for_however_often_it_was_tried",
                f"{_HEALTH}::test_the_sign_is_touched_while_consuming_old_while_stopped_and_gone_without_a_broker",
                f"{_TLS}::test_a_worker_says_that_it_does_not_trust_the_broker_and_goes_on_trying",
            ),
        ),
        Guard(
            "A worker is alive but consumes nothing, and its health probe passes",
            ("system/worker/heartbeat.py:Heartbeat", "system/worker/health.py:is_consuming"),
            (
                f"{_HEALTH}::test_the_sign_is_touched_while_consuming_old_while_stopped_and_gone_without_a_broker",
            ),
        ),
    ),
    "Messages are duplicated, or dead-lettered without need": (
        Guard(
            "A network stall of a second breaks the connection, and unacknowledged messages return",
            (f"{_APP}[broker_transport_options]", "system/messaging/connection.py:parameters"),
            (
                f"{_LOSS}::test_a_worker_outlasts_packet_loss_on_its_connection",
                f"{_LOSS}::test_a_publisher_outlasts_packet_loss_amid_a_batch",
            ),
        ),
        Guard(
            "After a lost connection two copies of a task run at once",
            (f"{_APP}[worker_cancel_long_running_tasks_on_connection_loss]",),
            (f"{_SETTINGS}::test_after_a_lost_connection_the_first_copy_of_a_task_ends",),
        ),
        Guard(
            "A message that is delivered twice, or retried and redelivered, takes effect twice",
            ("system/backend/statements.py:INSERT_RECEIPTS",),
            (
                _KEEPS,
                _BREAKS,
                f"{_CRASH}::test_a_worker_killed_at_any_point_loses_and_doubles_nothing",
                f"{_STORE}::test_a_message_delivered_to_two_workers_at_once_takes_effect_once",
            ),
        ),
        Guard(
            "An older observation that arrives late overwrites a newer one",
            ("system/backend/statements.py:NEWEST_WINS",),
            (
                _KEEPS,
                _BREAKS,
                "scenarios/test_phase3_backend.py::test_the_newest_wins_among_many_workers",
            ),
        ),
        Guard(
            "A message that kills every pool child is redelivered for ever, or takes others along",
            ("system/contract/topology.py:DELIVERY_LIMIT",),
            (f"{_DYING}::test_a_message_that_kills_every_child_ends_among_the_dead_letters",),
        ),
        Guard(
            "A service is unavailable for a while, and valid messages are dead-lettered",
            ("system/worker/retry.py:decide", "system/contract/topology.py:RETRY_DELAYS_S"),
            (
                f"{_OUTAGES}::test_while_the_store_is_away_matches_climb_the_ladder_and_then_all_take_effect",
                f"{_OUTAGE}::test_everything_commits_after_the_database_was_away_for_a_while",
                f"{_WORKER}/test_retry.py::test_what_is_away_is_waited_for_longer_each_time_up_to_a_day",
            ),
        ),
        Guard(
            "A dead letter does not say why it was dead-lettered",
            ("system/contract/envelope.py:dead_headers", "system/contract/envelope.py:reason_of"),
            (
                f"{_ENVELOPE}::test_the_brokers_own_newest_reason_counts_where_ours_is_missing",
                "scenarios/test_phase1_safety.py::test_the_system_says_why_in_words",
            ),
        ),
        Guard(
            "A replay loses or duplicates a dead letter, or repeats for ever",
            (
                "system/worker/dead_letters/actions.py:replay",
                "system/worker/dead_letters/letter.py:revive",
            ),
            (
                f"{_CRASH}::test_a_replay_killed_at_any_point_and_run_again_loses_and_doubles_nothing",
                f"{_DEAD}::test_a_message_that_dies_again_counts_its_replays_until_a_person_has_to_insist",
            ),
        ),
        Guard(
            "A replay makes an old observation look new",
            ("system/worker/dead_letters/letter.py:revive",),
            (f"{_DEAD}::test_a_replay_keeps_the_time_of_the_first_publish",),
        ),
    ),
    "Senders, and the edges of the system": (
        Guard(
            "A sender waits for ever for a broker that hangs, or that blocks publishers",
            ("system/messaging/publisher.py:Publisher.publish",),
            (
                f"{_PUBLISHER}::test_a_silent_broker_is_given_up_in_time_and_no_late_confirm_meets_the_next_batch",
                f"{_PUBLISHER}::test_a_blocked_connection_gives_up_in_time_with_words_and_sends_again_afterwards",
            ),
        ),
        Guard(
            "A scraper crashes, and what it had read from the page is lost",
            ("system/scraper/outbox.py:Outbox",),
            (
                "scenarios/test_crash_points.py::test_a_scraper_that_dies_here_loses_and_doubles_nothing",
                "system/scraper/tests/test_outbox.py::test_what_put_returned_is_there_after_a_kill",
            ),
        ),
        Guard(
            "A connection is made to a server that only claims to be the broker, Redis or the API",
            ("system/tls.py:trust",),
            (
                f"{_TLS}::test_a_publisher_refuses_a_broker_that_nobody_it_trusts_vouches_for",
                f"{_TLS}::test_a_worker_does_everything_by_tls",
            ),
        ),
    ),
}
