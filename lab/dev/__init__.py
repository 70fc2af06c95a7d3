"""For work on this project: set-up, generated pages, checks of documents and notebooks."""
