"""What an experiment looks at from within the pods of a cluster."""

from __future__ import annotations

from chaoslib.exceptions import ActivityFailed

from chaos.cluster import reaching

__all__ = ["cannot_connect"]


def cannot_connect(parts: list[str], address: str) -> bool:
    """For methods: no pod of these parts can connect there. It is tried from within each."""
    for pod in reaching.callers(parts):
        if reaching.tried(pod, address) == reaching.OPEN:
            raise ActivityFailed(f"{pod.name} connects to {address} all the same")
    return True
