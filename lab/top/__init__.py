"""`lab top`: a running lab on one screen that is updated.

`collect` queries Prometheus and gives a `Snapshot`; `render` draws it; `lab.cli.top` repeats that
until a key ends it. Only `collect`, `keys` and `lab.cli.top` do input and output.
"""
