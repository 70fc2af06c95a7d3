"""Tests of the metrics that all roles share."""
