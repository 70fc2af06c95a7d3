"""Stores matches and receipts; answers over HTTP."""
