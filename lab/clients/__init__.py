"""Clients of the running services: the broker, its management API, the backend, Prometheus."""
