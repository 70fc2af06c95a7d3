"""Tests of the experiments, and of what makes a false pass of one."""
