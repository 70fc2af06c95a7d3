"""The phases: experiments that state a claim and show it."""
