"""Tests of the backend, against a PostgreSQL of their own."""
