"""Judges a finished run: a history in, a verdict out. Connects to nothing."""
