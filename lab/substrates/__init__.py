"""Where the system can run."""
