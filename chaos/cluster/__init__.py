"""What breaks a lab by the cluster's own tools: the Chaos Toolkit's driver for Kubernetes.

driver    asks the driver and the cluster, in the lab's namespace only
pods      what a pod is, and whether another one took its place (pure)
policies  a network policy without one of its links (pure)
actions, probes  what experiments call; each says what it saw

The driver calls a kill done that met no pod, a command that ran nowhere, and a policy that changes
nothing. So no experiment calls it by itself: it is called here, and what it did is looked at.
"""
