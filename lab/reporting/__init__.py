"""How a verdict is shown: on the terminal, and as one page with plots."""
