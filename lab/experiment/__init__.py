"""Runs experiments: a running system, a record, and the verbs of a scenario."""
