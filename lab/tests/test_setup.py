"""Installing leaves the machine as it was: apt.sh against a system in a folder.

The real script runs; only what would change this machine is replaced, by a small `apt-get` that
does to the folder what a package with a service does to a system.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.paths import PROJECT
from lab.wait import eventually

APT = PROJECT / "lab/dev/setup/apt.sh"
WANTS = "etc/systemd/system/multi-user.target.wants"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dpkg") is None, reason="apt.sh is for root on Debian"
)

# Installs a package "tea": asks whether its service may start, and enables it for the next boot.
# Of what is only wanted, "milk" comes with the status that the folder says, "scones" never.
FAKE_APT_GET = """#!/bin/sh
case "$*" in
    *--simulate*scones) exit 100 ;;
    *--simulate*) exit 0 ;;
    *install*milk) touch "$DPKG_ROOT/milk"; exit "$(cat "$DPKG_ROOT/milk-status")" ;;
    *install*) ;;
    *) exit 0 ;;
esac
"$DPKG_ROOT/usr/sbin/policy-rc.d" tea start; echo "policy $?"
cat "$DPKG_ROOT"/etc/postgresql-common/createcluster.d/*.conf
ln -s /lib/systemd/system/tea.service "$DPKG_ROOT/{wants}/tea.service"
mkdir -p "$DPKG_ROOT/etc/systemd/system/sockets.target.wants"
ln -s /lib/systemd/system/tea.socket "$DPKG_ROOT/etc/systemd/system/sockets.target.wants/tea.socket"
touch "$DPKG_ROOT/installed"
[ ! -e "$DPKG_ROOT/wait" ] || sleep 600
exit "$(cat "$DPKG_ROOT/status" 2>/dev/null || echo 0)"
"""


class System:
    """A small system in a folder, with one service of its own that starts at boot."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._begun: list[subprocess.Popen[str]] = []
        for each in ("usr/sbin", WANTS, "var/lib/dpkg", "etc/rc3.d"):
            (self.root / each).mkdir(parents=True)
        (self.root / WANTS / "own.service").symlink_to("/lib/systemd/system/own.service")
        self.programs = folder / "bin"
        self.programs.mkdir()
        self._program("apt-get", FAKE_APT_GET.replace("{wants}", WANTS))
        self._program("dpkg", "#!/bin/sh\n")
        self._program("dpkg-query", "#!/bin/sh\nexit 1\n")

    def _program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def begin(self, *wanted: str) -> subprocess.Popen[str]:
        """Start an installation of "tea" here, in a group of its own, as a terminal would."""
        process = subprocess.Popen(
            ["sh", str(APT), "tea", "--wanted", *wanted],
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "DPKG_ROOT": str(self.root),
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._begun.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed left behind."""
        for process in self._begun:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate(timeout=120)

    def install(self, *wanted: str) -> tuple[int, str]:
        """Install "tea" here; return the exit code and what was said."""
        process = self.begin(*wanted)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def listing(self) -> dict[str, tuple[int, str]]:
        """Every path with its mode, and its content or where it points."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            content = ""
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = path.read_text()
            found[str(path.relative_to(self.root))] = (path.lstat().st_mode, content)
        return found


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path)
    yield made
    made.end()


def after(before: dict[str, tuple[int, str]], system: System) -> set[str]:
    """What is there now that was not before; nothing else may differ."""
    now = system.listing()
    assert {path: now.get(path) for path in before} == before
    return now.keys() - before.keys()


def test_services_are_held_and_afterwards_all_is_as_before(system: System) -> None:
    before = system.listing()

    code, said = system.install()

    assert code == 0, said
    assert "policy 101" in said
    assert "create_main_cluster = false" in said
    assert after(before, system) == {"installed"}


@pytest.mark.parametrize("status", [0, 100])
def test_what_is_only_wanted_comes_where_it_can_and_is_never_an_error(
    system: System, status: int
) -> None:
    (system.root / "milk-status").write_text(str(status))
    before = system.listing()

    code, said = system.install("scones", "milk")

    assert code == 0, said
    assert "scones is not to be had here; the lab runs without it" in said
    assert ("milk is not to be had here" in said) == (status != 0)
    assert after(before, system) == {"installed", "milk"}


def test_what_is_only_wanted_is_not_looked_for_where_nothing_is_missing(tmp_path: Path) -> None:
    """A machine that has all that is needed, but no exporter: nobody is asked, nothing is tried."""
    for name in ("apt-get", "brew", "sudo"):
        (tmp_path / name).write_text("#!/bin/sh\necho asked; exit 1\n")
        (tmp_path / name).chmod(0o755)
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            link = tmp_path / program.name
            if not (link.exists() or link.is_symlink() or link.name.endswith("exporter")):
                link.symlink_to(program)

    done = subprocess.run(
        ["sh", str(APT.with_name("setup.sh")), "packages"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_policy_that_was_there_comes_back_to_the_byte(system: System) -> None:
    policy = system.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\n# mine\nexit 0\n")
    policy.chmod(0o750)
    before = system.listing()

    code, said = system.install()

    assert code == 0, said
    assert "policy 101" in said
    assert after(before, system) == {"installed"}


def test_a_policy_that_is_a_link_stays_one(system: System) -> None:
    (system.root / "usr/sbin/policy-rc.d").symlink_to("/etc/alternatives/policy-rc.d")
    before = system.listing()

    assert system.install()[0] == 0
    assert after(before, system) == {"installed"}


def test_a_failed_installation_is_told_and_cleaned_up_too(system: System) -> None:
    (system.root / "status").write_text("100")
    before = system.listing()

    assert system.install()[0] == 100
    assert after(before, system) == {"installed"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_installation_is_cleaned_up(system: System, number: signal.Signals) -> None:
    wait = system.root / "wait"
    before = system.listing()
    wait.touch()
    process = system.begin()
    eventually("the installation to wait", (system.root / "installed").exists, within_s=60)

    os.killpg(process.pid, number)
    process.communicate(timeout=120)

    wait.unlink()
    assert process.returncode == 128 + number
    assert after(before, system) == {"installed"}


def test_what_a_killed_installation_left_is_cleaned_up_by_the_next(system: System) -> None:
    policy = system.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\n# mine\nexit 0\n")
    policy.chmod(0o755)
    wait = system.root / "wait"
    before = system.listing()
    wait.touch()
    process = system.begin()
    eventually("the installation to wait", (system.root / "installed").exists, within_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)
    wait.unlink()
    assert "mine" not in policy.read_text()

    code, said = system.install()

    assert code == 0, said
    assert after(before, system) == {"installed"}
