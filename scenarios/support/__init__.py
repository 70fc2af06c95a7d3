"""What only the experiments of the phases use."""
