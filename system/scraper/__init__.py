"""Reads league schedule pages and hands each match on."""
