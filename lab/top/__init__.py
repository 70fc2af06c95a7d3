"""`lab top`: a running lab in one picture that moves.

`reading` asks Prometheus and gives a `Snapshot`; `picture` draws it; `command` repeats that until a
key ends it. Only `reading` and `command` touch the world.
"""
