"""Metrics: how they are defined, kept over the death of their process, served to Prometheus."""
