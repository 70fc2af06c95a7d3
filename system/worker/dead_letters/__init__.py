"""The tool for dead letters: look, replay, discard. `python -m system.worker.dead_letters`."""
