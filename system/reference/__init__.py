"""The pages of docs/reference made from the system's own code: `python -m system.reference`."""
