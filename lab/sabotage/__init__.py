"""How messages get lost, doubled or stuck here, what prevents it, and which test shows it."""
