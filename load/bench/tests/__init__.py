"""Tests of the measurements: that a figure is of work that was done."""
