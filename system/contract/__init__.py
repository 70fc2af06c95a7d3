"""What crosses the wire between scraper, worker, backend and lab. Connects to nothing."""
