"""Metrics: how they are made, kept over the death of their process, and served to Prometheus."""
