"""Tests of what all parts of the pipeline share."""
