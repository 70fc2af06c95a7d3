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
_STARTING = f"{_WORKER}/test_starting.py"
_BRAKING = f"{_WORKER}/test_braking.py"
_LOSS = "system/tests/test_packet_loss.py"
_TLS = "system/tests/test_tls.py"
_LOGIN = f"{_WORKER}/test_login.py"
_ROTATION = "system/tests/test_rotation.py"
_STORE = "system/backend/tests/test_store_concurrency.py"
_DURABILITY = "system/backend/tests/test_durability.py"
_CONNECTIONS = "system/backend/tests/test_connections.py"
_OUTAGE = "scenarios/test_outage.py"
_ENVELOPE = "system/contract/tests/test_envelope_and_topology.py"
_CRASH = "scenarios/test_worker_crash_points.py"
_PUBLISHER = "system/tests/test_publisher.py"
_BATCHES = f"{_WORKER}/test_batches.py"
_NOT_TAKEN = "::test_what_no_task_can_take_is_dead_lettered_with_the_reason_and_the_worker_goes_on"
_EARLIER = "scenarios/test_phase4_earlier_sender.py"
_VERSIONS = "scenarios/test_phase4_versions.py"
_IDENTITY = "system/backend/tests/test_identity.py"
_MERGE = "system/backend/tests/test_merge.py"
_OBSERVED = "system/contract/tests/test_observation.py"
_READING = "system/backend/tests/test_reading.py"
_INCOMPLETE = "system/scraper/tests/test_incomplete.py"
_KEEPS = "scenarios/test_sabotage.py::test_without_a_defect_every_law_and_every_check_holds"
_BREAKS = "scenarios/test_sabotage.py::test_a_planted_defect_is_caught_and_rightly_named"

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
            "A sender that asks for nothing back says submitted, and no queue is bound",
            ("system/contract/topology.py:ALTERNATES", "system/contract/topology.py:BINDINGS"),
            (
                f"{_EARLIER}::test_what_finds_no_queue_is_kept_shown_and_replayed",
                f"{_ENVELOPE}::test_what_our_own_publisher_sends_is_marked_to_be_returned",
            ),
        ),
        Guard(
            "A queue, a binding, an exchange or a policy was deleted, and nobody knows which",
            ("system/contract/differences.py:compare",),
            (
                "system/contract/tests/test_command.py::test_what_is_gone_is_named_and_comes_back_by_one_command",
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
            "A batch is acknowledged before its pool child has reported, and the child dies",
            ("system/worker/gathering.py:Batch._on_report",),
            (_KEEPS, _BREAKS),
        ),
        Guard(
            "What a batch could not apply is acknowledged, and nothing of it is published",
            ("system/worker/batch.py:_put_aside",),
            (_KEEPS, _BREAKS),
        ),
        Guard(
            "A match that kills its pool child takes those in its batch with it",
            ("system/worker/gathering.py:Batch._on_lost",),
            (
                _KEEPS,
                _BREAKS,
                f"{_BATCHES}::test_a_match_that_kills_its_child_costs_those_in_its_batch_nothing",
            ),
        ),
        Guard(
            "A bad match is given up together with those in its batch",
            ("system/worker/batch.py:_alone",),
            (
                f"{_BATCHES}::test_a_match_at_which_the_backend_fails_waits_alone",
                f"{_BATCHES}::test_a_backlog_goes_in_batches_and_a_bad_match_dead_letters_alone",
            ),
        ),
        Guard(
            "An unexpected error acknowledges the message",
            (f"{_APP}[task_acks_on_failure]",),
            (f"{_SETTINGS}::test_a_bug_in_all_that_would_give_a_match_back_costs_no_message",),
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
        Guard(
            "The database crashes, and what it had already answered as committed is gone",
            (
                "system/backend/database.py:_configure",
                "system/worker/database_sink.py:DatabaseSink",
            ),
            (
                _KEEPS,
                _BREAKS,
                f"{_DURABILITY}::test_what_was_answered_survives_a_crash_of_the_database",
                f"{_DURABILITY}::test_without_the_setting_a_crash_of_the_database_loses_what_was_answered",
                f"{_DURABILITY}::test_a_commit_is_on_disk_whatever_the_default_of_database_or_role",
                "system/tests/test_database_sink.py::test_its_commits_are_on_disk_whatever_the_default_of_the_database",
            ),
        ),
        Guard(
            "A commit fails, and its effect is counted all the same",
            ("system/backend/writing.py:_apply",),
            (
                f"{_DURABILITY}::test_an_effect_whose_commit_failed_is_neither_answered_nor_counted",
                f"{_DURABILITY}::test_without_care_an_effect_is_counted_whose_commit_failed",
            ),
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
                f"{_HEALTH}::test_a_stopped_loop_is_old_in_both_files_and_a_missing_broker_in_the_ready_file_only",
                f"{_TLS}::test_a_worker_says_that_it_does_not_trust_the_broker_and_goes_on_trying",
            ),
        ),
        Guard(
            "A password, token or certificate was replaced, and who runs goes on with the old one",
            (
                "system/secret_files.py:SecretFile",
                "system/tls.py:_Watched",
                "system/worker/broker_login.py:BrokerLogin",
                "system/worker/results_login.py:ResultsLogin",
            ),
            (
                "scenarios/test_phase4_rotation.py::test_every_secret_is_replaced_under_load_and_nothing_is_lost",
                f"{_LOGIN}::test_a_new_password_of_the_broker_costs_no_message",
                f"{_LOGIN}::test_a_new_password_of_redis_costs_no_answer",
                f"{_ROTATION}::test_certificates_and_authorities_are_replaced_under_an_open_client",
                "system/backend/tests/test_rotation.py::test_a_new_password_of_the_database_is_taken_over",
            ),
        ),
        Guard(
            "A secret's file is empty or unreadable for a moment, and a process ends of it",
            ("system/last_good.py:LastGood",),
            (
                "system/tests/test_secret_files.py::test_a_running_process_keeps_the_last_good_secret_and_says_so_once",
                "system/backend/tests/test_rotation.py::test_a_new_certificate_is_shown_from_the_next_connection_on",
            ),
        ),
        Guard(
            "Who is refused logs in again at once and for ever, and fills the log of both sides",
            ("system/login.py:Login",),
            (
                f"{_LOGIN}::test_a_wrong_password_costs_a_line_now_and_then_without_a_traceback",
                f"{_ROTATION}::test_a_publisher_that_was_refused_does_not_log_in_again_for_each_message",
                f"{_ROTATION}::test_a_token_that_is_refused_is_not_sent_again_at_once_and_blames_no_message",
            ),
        ),
        Guard(
            "A worker is alive but consumes nothing, and its health probe passes",
            ("system/worker/heartbeat.py:Heartbeat", "system/worker/health.py:is_fresh"),
            (
                f"{_HEALTH}::test_a_stopped_loop_is_old_in_both_files_and_a_missing_broker_in_the_ready_file_only",
            ),
        ),
    ),
    "Messages are duplicated, or dead-lettered without need": (
        Guard(
            "A worker with a wrong setting starts, takes messages, and fails at each of them",
            (
                "system/worker/equipment.py:check",
                "system/worker/equipment.py:equip_child",
            ),
            (
                f"{_STARTING}::test_a_wrong_setting_ends_the_start_with_its_name_and_no_message_is_taken",
                f"{_STARTING}::test_a_child_that_cannot_work_ends_the_worker_before_it_takes_a_message",
            ),
        ),
        Guard(
            "What would die again is replayed, and dies again",
            ("system/worker/dead_letters/prospects.py:would_die_of",),
            (f"{_DEAD}::test_what_would_die_again_is_kept_with_its_fault_until_a_person_insists",),
        ),
        Guard(
            "A refused message gets a new id, and its sender cannot find it",
            ("system/worker/gate.py:own_id",),
            (f"{_DEAD}::test_a_message_that_the_gate_refuses_keeps_its_own_id",),
        ),
        Guard(
            "A bug of the worker counts as its message's fault",
            (
                "system/worker/retry.py:is_bug",
                "system/worker/handling.py:Handler.put_aside",
                "system/worker/aside.py:Aside.wait",
            ),
            (f"{_BRAKING}::test_a_bug_costs_its_message_nothing_but_time",),
        ),
        Guard(
            "A bad version of the worker takes all that waits, and fails at it",
            ("system/worker/brake.py:next_state", "system/worker/braking.py:Braking"),
            (
                f"{_BRAKING}::test_a_worker_that_does_nothing_but_fail_stops_taking_matches_until_one_takes_effect",
                f"{_WORKER}/test_brake.py::test_so_many_different_messages_in_a_row_that_meet_a_bug_apply_it",
            ),
        ),
        Guard(
            "A bad version of the worker dies at each message, and uses up their deliveries",
            ("system/worker/tasks.py:WatchedRequest.on_failure",),
            (
                f"{_BRAKING}::test_a_version_that_dies_at_every_match_does_not_use_up_their_deliveries",
            ),
        ),
        Guard(
            "A token is refused for a while, and every match becomes a dead letter",
            ("system/client.py:_is_about_the_token",),
            (
                f"{_LOGIN}::test_a_token_that_is_refused_lets_messages_wait_until_the_file_has_another",
            ),
        ),
        Guard(
            "A proxy loses its route for a while, and every match becomes a dead letter",
            ("system/client.py:_error_code",),
            (
                "system/tests/test_client.py::test_an_answer_about_the_way_is_no_refusal_of_a_message",
            ),
        ),
        Guard(
            "A child cannot log in to send a message to wait; it comes again until it is poison",
            ("system/messaging/connection.py:BrokerConnection",),
            (f"{_LOGIN}::test_a_child_whose_login_is_refused_makes_no_message_poison",),
        ),
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
            ("system/backend/merge.py:outranks",),
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
                f"{_WORKER}/test_retry.py::test_an_outage_and_a_bug_are_waited_for_longer_each_time_up_to_a_day",
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
    "What is stored is not true": (
        Guard(
            "A match that is sent with its number and without is stored as two",
            ("system/backend/which.py:choose", "system/backend/lookup.py:Stored.move"),
            (
                _BREAKS,
                _KEEPS,
                f"{_IDENTITY}::test_whatever_is_said_of_a_match_in_whatever_order_it_is_one_row",
                f"{_IDENTITY}::test_a_match_that_moves_meets_what_was_seen_of_it_without_its_number",
                f"{_IDENTITY}::test_what_may_be_one_of_several_is_kept_apart_and_said",
            ),
        ),
        Guard(
            "A sender makes up a number, another one every day, and each is a match of its own",
            ("system/contract/names.py:number",),
            (_BREAKS, f"{_OBSERVED}::test_a_number_that_the_earlier_senders_made_up_is_not_said"),
        ),
        Guard(
            "Two names of a team are two teams, each with a part of the matches",
            ("system/contract/names.py:team", "system/contract/names.py:key"),
            (
                _BREAKS,
                _KEEPS,
                f"{_IDENTITY}::test_two_spellings_are_one_team_and_the_first_one_is_shown",
            ),
        ),
        Guard(
            "A team that plays in another division once gets a line in its table",
            ("system/backend/standings.py:members",),
            (
                _BREAKS,
                _KEEPS,
                f"{_READING}::test_a_team_that_visits_a_division_is_not_in_its_table",
            ),
        ),
        Guard(
            "A score that is printed before the end, or before kickoff, counts for the table",
            ("system/contract/observation.py:_result",),
            (
                _BREAKS,
                _KEEPS,
                f"{_OBSERVED}::test_a_score_is_final_only_when_the_match_can_be_over",
                f"{_READING}::test_a_score_before_the_end_is_shown_as_live_and_one_before_kickoff_not_at_all",
            ),
        ),
        Guard(
            "What a sender does not know is erased, or its late message undoes or turns a result",
            ("system/contract/observation.py:_stated", "system/backend/merge.py:merge"),
            (
                _BREAKS,
                _KEEPS,
                f"{_MERGE}::test_any_order_ends_in_the_same_row",
                f"{_MERGE}::test_an_observation_changes_only_what_it_says",
                f"{_MERGE}::test_an_observation_without_its_own_time_cannot_undo_a_result",
                f"{_MERGE}::test_who_turns_the_sides_without_a_result_does_not_turn_the_result",
            ),
        ),
        Guard(
            "A sender that says one season for ever moves matches out of their table",
            ("system/contract/observation.py:_season",),
            (
                f"{_OBSERVED}::test_the_earlier_senders_season_is_taken_from_the_date",
                f"{_OBSERVED}::test_also_in_summer_when_both_seasons_would_fit",
            ),
        ),
        Guard(
            "One observation from the future makes every true one stale",
            ("system/contract/observation.py:_observed", "system/backend/operations.py:unfreeze"),
            (
                f"{_OBSERVED}::test_an_observation_from_the_future_is_refused_with_the_reason",
                f"{_IDENTITY}::test_a_frozen_match_is_freed_by_an_operator",
            ),
        ),
        Guard(
            "A table of very many matches is cut",
            ("system/backend/queries.py:standings",),
            (f"{_READING}::test_a_table_of_too_many_matches_is_refused_and_not_cut",),
        ),
    ),
    "Senders, and the edges of the system": (
        Guard(
            "A task that is sent to the queue of another holds up its messages",
            ("system/worker/gate.py:admit", "system/contract/envelope.py:QUEUES_OF_TASKS"),
            (
                f"{_VERSIONS}::test_a_teaching_task_holds_up_no_match",
                f"{_WORKER}/test_gate.py::test_each_task_is_taken_from_its_own_queue_only",
            ),
        ),
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
            "The league changes its pages, and a run that missed half of them ends with success",
            (
                "system/scraper/pages.py:walk",
                "system/scraper/parsing/pagination.py:pagination",
                "system/scraper/parsing/emptiness.py:doubt",
            ),
            (
                f"{_INCOMPLETE}::test_what_may_have_missed_something_says_so",
                f"{_INCOMPLETE}::test_what_only_looks_strange_is_complete",
                _BREAKS,
            ),
        ),
        Guard(
            "Every page can be read, and a filter hides most of the league",
            ("system/scraper/baseline.py:Baseline.doubt",),
            (
                f"{_INCOMPLETE}::test_far_fewer_matches_than_the_last_good_run_is_incomplete_until_somebody_accepts_it",
            ),
        ),
        Guard(
            "A mistyped path of the outbox looks like an empty one",
            ("system/scraper/outbox.py:Outbox",),
            (
                "system/scraper/tests/test_cli.py::test_looking_at_an_outbox_that_is_none_names_it_and_creates_nothing",
            ),
        ),
        Guard(
            "Two scrapers open a new outbox at once, and one ends with `database is locked`",
            ("system/scraper/outbox.py:Outbox._use_write_ahead_log",),
            (
                "system/scraper/tests/test_outbox.py::test_who_opens_a_new_outbox_waits_for_another_who_does",
            ),
        ),
        Guard(
            "A crowd of connections with half a request each shuts out senders and health probes",
            ("system/backend/connections.py:_BoundedProtocol",),
            (
                f"{_CONNECTIONS}::test_a_crowd_with_half_a_head_each_shuts_out_nobody_and_is_ended",
                f"{_CONNECTIONS}::test_a_crowd_that_comes_again_and_again_shuts_out_nobody",
                f"{_CONNECTIONS}::test_probes_are_answered_while_all_places_have_a_request_in_hand",
                f"{_CONNECTIONS}::test_a_body_that_drips_is_ended",
            ),
        ),
        Guard(
            "A request without a token fills the memory of the backend",
            (
                "system/backend/connections.py:_BoundedProtocol",
                "system/backend/limits.py:read_json",
            ),
            (
                f"{_CONNECTIONS}::test_a_head_of_hundreds_of_megabytes_is_refused_and_not_kept",
                f"{_CONNECTIONS}::test_trailers_without_end_are_refused_and_not_kept",
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
