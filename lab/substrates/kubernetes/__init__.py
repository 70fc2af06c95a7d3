"""The system on a Kubernetes cluster: the objects of the chart, in a namespace of the lab's own.

kubernetes  the substrate: up, down, kill, pause, scale
chart       the chart's objects, rendered by Helm with the lab's values
fitted      the same, as a lab needs them: a name for each part, settings, links, targets (pure)
own         what only the lab has: its site, its runner, a name for each part;  policies  (pure)
part        one part: ends it, freezes it, starts it, reads its log;  startup  waits for parts
forward     addresses of this machine that lead into the namespace
place       where on a cluster it is;  jobs  runs a program of an image beside it
attached    one that another process keeps;  seen  how it is, from outside
doctor      what a cluster has and lacks;  policy_trial  tries a network policy
leftovers   nothing outlives a lab, however it ends
kubectl     the command line of Kubernetes, on a context that the user has named

What is the same wherever containers run is in `containers`.
"""
