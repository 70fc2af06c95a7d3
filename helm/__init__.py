"""The chart of the platform, and its tests."""
