"""The monitoring of the pipeline: scraping, rules, alerts and dashboards, as data.

Rules and dashboards are written for production; the lab loads the same ones, with shorter times.
"""
