"""A league to scrape: what happens in a season, and the web site that shows it."""
