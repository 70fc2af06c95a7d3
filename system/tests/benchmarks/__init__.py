"""Benchmarks: skipped by default, run by `make bench`."""
