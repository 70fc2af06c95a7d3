"""Tests of the chart: rendered by real Helm, without a cluster."""
