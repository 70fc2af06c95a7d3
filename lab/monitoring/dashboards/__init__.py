"""Grafana's dashboards as code; `make docs` writes them as JSON beside it.

One module for each board; `board.py` draws the panels.
"""
