"""Tests of the scraper, with saved pages that show every quirk of the league's site."""
