"""Load by Locust: real messages at a profile's rate, budgets for them, and the lab's verdict.

`load.bench` measures what the system can take, and what a match costs.
"""
