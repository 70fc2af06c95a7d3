"""Tests of the load; what imports Locust runs in a process of its own."""
