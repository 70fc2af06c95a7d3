"""Service level objectives: slo.yaml, how they are evaluated, and the alerts made from them."""
