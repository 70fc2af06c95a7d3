"""How a history is judged, step by step: tally, accounts, order, laws, measures. All pure."""
