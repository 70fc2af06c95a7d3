"""A strict client of Prometheus: a query gives a value, or the reason why there is none."""
