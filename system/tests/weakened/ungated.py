"""A worker without the gate: Celery itself decides what becomes of a malformed message."""

from __future__ import annotations

from celery.worker.consumer import Consumer

from system.tests.weakened import run_given
from system.worker.consumer import GatedConsumer

if __name__ == "__main__":
    GatedConsumer.create_task_handler = Consumer.create_task_handler  # type: ignore[method-assign]
    GatedConsumer.on_decode_error = Consumer.on_decode_error  # type: ignore[method-assign]
    run_given()
