"""Measurements of the system's speed, on a lab of their own."""
