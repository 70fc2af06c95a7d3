"""Tests of the invented league: its season, its pages, its web site."""
