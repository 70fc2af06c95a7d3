"""The fork server: what it starts behaves like `python -m MODULE`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from lab.paths import PROJECT
from lab.substrates.local import forkserver
from lab.substrates.local.forkserver import ForkServer
from lab.wait import eventually

pytestmark = pytest.mark.skipif(not forkserver.AVAILABLE, reason="it needs Linux")

PROGRAM = """\
import atexit, os, signal, sys, threading, time
atexit.register(lambda: print("bye"))
what, *rest = sys.argv[1:]
if what == "say":
    print(sys.argv[1:], os.getcwd(), os.environ.get("TOLD"), os.environ.get("HOME"))
    print("trouble", file=sys.stderr)
    print(repr(sys.stdin.read()), __name__, sorted(os.listdir("/proc/self/fd")))
elif what == "exit":
    sys.exit(int(rest[0]))
elif what == "fail":
    raise ValueError("on purpose")
elif what == "sorry":
    sys.exit("sorry")
elif what == "thread":
    threading.Thread(target=lambda: (time.sleep(0.1), print("late"))).start()
elif what == "wait":
    print("ready", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with closing(ForkServer()) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "told.py").write_text(PROGRAM)
    return tmp_path


def run(server: ForkServer, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the program by the server; return exit status and outputs."""
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        process = server.popen(
            _argv(*arguments), env=_env(folder), cwd=folder, out=out, err=err, session=True
        )
        code = process.wait(50)
    return code, (folder / "out").read_text(), (folder / "err").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("say", "one", "two words"),
        *(("exit", code) for code in ("0", "3", "300")),
        *((what,) for what in ("fail", "sorry", "thread")),
    ],
    ids=" ".join,
)
def test_a_program_does_what_it_does_when_python_starts_it(
    server: ForkServer, folder: Path, arguments: tuple[str, ...]
) -> None:
    usual = subprocess.run(
        _argv(*arguments),
        env=_env(folder),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    code, out, err = run(server, folder, *arguments)
    assert (code, out) == (usual.returncode, usual.stdout)
    assert err.splitlines()[-1:] == usual.stderr.splitlines()[-1:]


def test_a_signal_ends_it_and_is_its_status(server: ForkServer, folder: Path) -> None:
    with (folder / "out").open("w+b") as out:
        process = server.popen(
            _argv("wait"), env=_env(folder), cwd=folder, out=out, err=out, session=True
        )
        eventually("it to wait", (folder / "out").read_text, within_s=30)
        assert os.getsid(process.pid) == process.pid
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    process.send_signal(signal.SIGTERM)  # to nobody


def test_one_copy_knows_nothing_of_another(server: ForkServer, folder: Path) -> None:
    (folder / "leave.py").write_text(
        "import os, sys\nimport system.settings as shared\n"
        "print(getattr(shared, 'left', None), os.environ.get('LEFT'))\n"
        "shared.left = 1\nos.environ['LEFT'] = '1'\n"
    )
    for _ in range(2):
        with (folder / "out").open("w+b") as out:
            argv = (sys.executable, "-m", "leave")
            process = server.popen(argv, env=_env(folder), cwd=folder, out=out, err=out)
            assert process.wait(50) == 0
        assert (folder / "out").read_text().split() == ["None", "None"]


def test_its_programs_end_with_the_server(folder: Path) -> None:
    server = ForkServer()
    with (folder / "out").open("w+b") as out:
        process = server.popen(
            _argv("wait"), env=_env(folder), cwd=folder, out=out, err=out, end=signal.SIGKILL
        )
        eventually("it to wait", (folder / "out").read_text, within_s=50)
        seen = psutil.Process(process.pid)
        server.close()
        assert process.wait(30) == -signal.SIGKILL
        eventually("the program to end", lambda: not seen.is_running(), within_s=30)


@pytest.mark.parametrize(
    ("argv", "env", "taken"),
    [
        ((sys.executable, "-m", "told"), {}, True),
        ((sys.executable, "-m", "told"), {"PYTHONUNBUFFERED": "1"}, True),
        ((sys.executable, "told.py"), {}, False),
        (("redis-server", "-m"), {}, False),
        ((sys.executable, "-m", "told"), {"PYTHONHASHSEED": "1"}, False),
        ((sys.executable, "-m", "told"), {"PYTHONPATH": "/elsewhere"}, False),
    ],
)
def test_only_modules_with_its_own_settings_are_taken(
    server: ForkServer, argv: tuple[str, ...], env: Mapping[str, str], taken: bool
) -> None:
    assert server.takes(argv, {"PYTHONPATH": str(PROJECT), **env}) is taken


def _argv(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "told", *arguments)


def _env(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TOLD": "yes"}
