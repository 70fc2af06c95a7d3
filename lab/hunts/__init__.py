"""Hunts: schedules of faults at random, under load, until one shows that a law can be broken."""
