"""Consumes matches from the queue and hands them to the backend."""
