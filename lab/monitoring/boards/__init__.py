"""Grafana's dashboards as code; `python -m lab.monitoring.boards` writes lab/monitoring/dashboards.

One module for each board; `panels.py` draws, `board.py` puts together.
"""
