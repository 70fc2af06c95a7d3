"""Runs the experiments of a phase, and shows what they claimed and what was seen."""
