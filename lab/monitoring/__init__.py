"""What watches the pipeline: scraping, rules, alerts, objectives and dashboards, as data.

Rules and dashboards are written for production; the lab loads the same ones, only quicker.
"""
