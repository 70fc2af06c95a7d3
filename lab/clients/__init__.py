"""Clients of the running services: the broker, its management, the backend, Prometheus."""
