"""Measurements of one part of the system from within: these import it, unlike all the rest here.

`test_publishing.py` is skipped by the usual tests and run by `make bench`.
"""
