"""The record of a run: its events, the file that holds them, and the recorder that watches."""
