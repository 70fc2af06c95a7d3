"""Who may come into a control room, over real connections; the lab behind it is not there."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from lab.paths import fresh_lab_command
from lab.room import door, guard
from lab.room.actions import Target
from lab.wait import eventually

pytestmark = pytest.mark.timeout(300)

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class Visitor:
    """Somebody who asks a room for things, in whatever way."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.port, self.way = at.port, at.path
        self.origin = f"http://127.0.0.1:{at.port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port or 0, timeout=60)
        try:
            given = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            said = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, answer.read().decode(), said
        finally:
            connection.close()

    def send(self, action: str, body: bytes, **headers: str) -> tuple[int, str]:
        """Send a form as the page does, unless the headers say otherwise."""
        usual = {"origin": self.origin, **{k.replace("-", "_"): v for k, v in FORM.items()}}
        given = {key: value for key, value in {**usual, **headers}.items() if value}
        return self.ask(f"{self.way}do/{action}", "POST", body, **given)[:2]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder without any lab, to work in."""
    before = Path.cwd()
    folder = tmp_path_factory.mktemp("room")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def room(elsewhere: Path) -> Iterator[door.Door]:
    with door.opened(Target()) as opened:
        yield opened


@pytest.fixture(scope="module")
def visitor(room: door.Door) -> Visitor:
    return Visitor(room.url)


@pytest.mark.laboratory
def test_the_room_starts_when_somebody_opens_it_and_ends_with_its_door(elsewhere: Path) -> None:
    def rooms() -> list[psutil.Process]:
        return [each for each in psutil.Process().children() if "--held" in each.cmdline()]

    before = {each.pid for each in rooms()}
    with door.opened(Target(), read_only=True) as opened:
        visitor = Visitor(opened.url)
        assert {each.pid for each in rooms()} == before
        status, page, _ = visitor.ask(visitor.way)
        (process,) = (each for each in rooms() if each.pid not in before)

        assert status == 200
        assert "has ended" in page  # there is no such lab here
        assert "to look at only" in page
        assert visitor.way.strip("/") not in " ".join(process.cmdline())
        assert visitor.send("slo", b"")[0] == 409

        process.kill()  # one that died comes back when it is asked for
        eventually(
            "the room to answer again",
            lambda: visitor.ask(visitor.way)[0] == 200,
            within_s=60,
            tolerate=(OSError, http.client.HTTPException),
        )
    assert {each.pid for each in rooms()} == before


def test_the_page_comes_with_a_strict_policy(visitor: Visitor) -> None:
    for path in ("", "static/room.js", "static/room.css", "command/slo", "nowhere"):
        _, _, headers = visitor.ask(visitor.way + path)
        assert headers["content-security-policy"] == guard.HEADERS["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/x/", "/{token}x/", "/static/room.js", "//{token}/", "/{up}"]
)
def test_without_its_token_nothing_is_there(visitor: Visitor, path: str) -> None:
    token = visitor.way.strip("/")
    status, said, _ = visitor.ask(path.format(token=token, up=token[:-1] + "/"))

    assert (status, said.strip()) == (404, guard.LOST.format(fresh_lab_command("status")))
    assert token not in said


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1:1", "", "[::1]:{port}"])
def test_a_name_that_was_made_to_point_here_is_refused(visitor: Visitor, host: str) -> None:
    status, _, _ = visitor.ask(visitor.way, host=host.format(port=visitor.port))

    assert status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", ""])
def test_a_page_from_elsewhere_can_do_nothing(visitor: Visitor, origin: str) -> None:
    status, _ = visitor.send("slo", b"", origin=origin.format(port=visitor.port))

    assert status == 403


def test_a_page_from_elsewhere_can_read_nothing(visitor: Visitor) -> None:
    assert visitor.ask(visitor.way + "stream", origin="http://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("action", "body", "headers", "why"),
    [
        ("explode", b"", {}, "no action 'explode'"),
        ("load", b"profile=steady&seconds=99999", {}, "from 1 to 600"),
        ("load", b"x=" + b"y" * 20_000, {}, "16384 bytes at most"),
        ("load", b"&".join(b"x%d=1" % n for n in range(300)), {}, "cannot be read"),
        ("load", b"{}", {"content_type": "application/json"}, "has to be sent as"),
        ("stop", b"job=7", {}, "no command has the number 7"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    visitor: Visitor, action: str, body: bytes, headers: dict[str, str], why: str
) -> None:
    status, said = visitor.send(action, body, **headers)

    assert status == 409
    assert why in json.loads(said)["why"]


@pytest.mark.parametrize(
    "path",
    [
        "runs/x/report.html",
        "runs/..%2f..%2fetc/report.html",
        "static/..%2fdoor.py",
        "static/nothing.js",
        "openapi.json",
        "docs",
    ],
)
def test_no_other_file_can_be_read(visitor: Visitor, path: str) -> None:
    assert visitor.ask(visitor.way + path)[0] == 404


def test_the_command_of_a_form_is_told_before_it_is_sent(visitor: Visitor) -> None:
    status, said, _ = visitor.ask(visitor.way + "command/load?profile=spike&seconds=9")

    command = fresh_lab_command("load", "--profile", "spike", "--for", "9s")
    assert (status, json.loads(said)) == (200, {"command": command})


def test_a_command_is_run_and_what_it_prints_is_shown(visitor: Visitor, elsewhere: Path) -> None:
    """There is no lab here, and the command says so."""
    status, said = visitor.send("scale", b"workers=2")
    assert (status, json.loads(said)) == (202, {"command": fresh_lab_command("scale", "2")})

    def shown() -> bool:
        page = visitor.ask(visitor.way)[1]
        return "exit code 2" in page and "is up here" in page

    eventually("the command to have ended", shown, within_s=60, every_s=0.3)


def test_a_report_is_opened_where_it_can_ask_nobody(visitor: Visitor, elsewhere: Path) -> None:
    folder = elsewhere / ".runs" / "20261129T190000-load-steady"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<h1>The report</h1>")
    status, said, headers = visitor.ask(f"{visitor.way}runs/{folder.name}/report.html")

    assert (status, said) == (200, "<h1>The report</h1>")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "connect-src" not in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_form_works_without_the_script(visitor: Visitor) -> None:
    status, _, headers = visitor.ask(
        f"{visitor.way}do/letters", "POST", b"", origin=visitor.origin,
        content_type="application/x-www-form-urlencoded", accept="text/html",
    )  # fmt: skip

    assert (status, headers["location"]) == (303, "../")
