"""The rows of the table of defects, by the part of the system that has them."""
