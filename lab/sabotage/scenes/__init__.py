"""What is done to a lab so that a defect shows itself; see `lab.sabotage.scene`."""
