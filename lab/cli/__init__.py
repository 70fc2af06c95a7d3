"""The command line of the laboratory, one module for each command."""
