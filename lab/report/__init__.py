"""How results are shown: on the terminal, as a page with plots, in notebooks."""
