"""The laboratory: drives the pipeline, breaks it on purpose, accounts for every message."""
