"""The pipeline beside other libraries: same broker, database, messages, durability, work.

    one lab a turn ── warm-up ── workers stopped ── N messages wait ── go on ── N receipts ── audit

`python -m load.bench.compare` takes turns, round after round, and prints rates and their ratios.
The libraries are of the extra `bench` (`make bench` installs it).
"""
