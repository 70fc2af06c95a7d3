"""A substrate of sockets that answer and do nothing: for tests of the lab itself, in milliseconds.

It is also the shortest example of what a substrate has to be.
"""
