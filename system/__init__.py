"""The production pipeline: scraper, worker and backend, which meet only on the wire."""
