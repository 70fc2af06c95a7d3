"""What goes into the system: the league's season, load, other senders, the scraper."""
