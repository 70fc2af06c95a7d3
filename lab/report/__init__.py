"""Presents results: on the terminal, as an HTML page with plots, in notebooks."""
