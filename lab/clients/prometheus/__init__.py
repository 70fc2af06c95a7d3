"""Asking Prometheus so that no answer can be mistaken: a value, or the reason why there is none."""
