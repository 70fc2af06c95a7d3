"""Faults, one to a file, each with its cure. `lab.fault` finds them here by itself."""
