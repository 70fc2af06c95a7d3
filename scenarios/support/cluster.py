"""A cluster that must not be touched: it counts connections, and records every call of kubectl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from scenarios.support.hangup import HangUpServer

CALL_WITHIN_S = 20

_KUBECTL = """\
#!/bin/sh
echo "$*" >>{notes}
if [ -n "{real}" ]; then exec "{real}" "$@"; fi
case "$*" in
*"config view"*) cat "$KUBECONFIG" ;;
*) exec {python} -c 'import socket; socket.create_connection(("127.0.0.1", {port}), 5).close()' ;;
esac
"""


class Cluster(HangUpServer):
    """Use as a context manager. The last of the contexts is the current one.

    Attributes:
        config: the file that kubectl reads.
        environment: lets programs find this kubectl and this file, and no other.
    """

    def __init__(self, folder: Path, contexts: tuple[str, ...]) -> None:
        """Prepare the listener, the configuration, and a kubectl that records its calls.

        Args:
            folder: where the files go, in a folder of their own.
            contexts: names; all of them point to this cluster.
        """
        super().__init__()
        home = folder / "kube"
        (home / "bin").mkdir(parents=True)
        self._notes = home / "calls"
        self._notes.touch()
        self.config = home / "config"
        self.config.write_text(json.dumps(_configuration(self.port, contexts)))
        kubectl = home / "bin" / "kubectl"
        kubectl.write_text(
            _KUBECTL.format(
                notes=self._notes,
                real=shutil.which("kubectl") or "",
                python=shutil.which("python3"),
                port=self.port,
            )
        )
        kubectl.chmod(0o755)
        self.environment = {
            "KUBECONFIG": str(self.config),
            "PATH": f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}",
        }

    @property
    def commands(self) -> list[str]:
        """The arguments of every call of kubectl, in order."""
        return self._notes.read_text().splitlines()

    def careless_call(self) -> None:
        """Query the current context's cluster, as a careless tool might.

        It is not among the `commands`.
        """
        subprocess.run(
            ["kubectl", "get", "pods", "--request-timeout=2s"],
            env={**os.environ, **self.environment},
            capture_output=True,
            timeout=CALL_WITHIN_S,
            check=False,
        )
        kept = self._notes.read_text().splitlines(keepends=True)[:-1]
        self._notes.write_text("".join(kept))


def _configuration(port: int, contexts: tuple[str, ...]) -> dict[str, object]:
    """A kubeconfig; JSON is YAML."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [
            {"name": name, "context": {"cluster": "here", "user": "nobody"}} for name in contexts
        ],
        "current-context": contexts[-1],
    }
