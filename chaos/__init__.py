"""Experiments of the Chaos Toolkit against a lab that is up, each judged by the lab's audit.

`chaos run chaos/experiments/worker-kill.yaml` runs one, `make chaos` all of them on a lab of their
own.
"""
