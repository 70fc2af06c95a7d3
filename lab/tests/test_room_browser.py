"""The control room as a person uses it, in Chromium: from load to fault to verdict."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.clients import amqp
from lab.paths import PROJECT
from lab.substrates.local.instance import Instance
from lab.substrates.local.service import environment
from lab.substrates.protocol import Endpoints
from lab.wait import eventually
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]

WITHIN_MS = 240_000
"""For each thing that is waited for: the lab, Chromium and the test may share two processors."""
MISSING = "{} is missing, which this test needs: run `make test-browser`, which installs it"
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
REFUSED = "status of 409"
"""What the browser notes when something was refused, as the page itself says."""
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser, as Playwright drives it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.fail(MISSING.format("Chromium"))
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail(MISSING.format("Playwright"))
    with sync_playwright() as playwright:
        # Its own sandbox wants a privilege that containers lack; only our page is opened.
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield browser
        browser.close()


@contextmanager
def lab(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command of the lab that runs beside the block; it is ended if it has not ended then."""
    env = environment(PYTHONPATH=str(PROJECT), PYTHONUNBUFFERED="1", COLUMNS="200")
    with subprocess.Popen(
        [sys.executable, "-m", "lab", *words],
        cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=120)


def typed(folder: Path, *words: str) -> str:
    """What a command of the lab prints."""
    with lab(folder, *words) as process:
        return process.communicate(timeout=240)[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `lab up` was typed."""
    folder = tmp_path_factory.mktemp("room")
    try:
        said = typed(folder, "up", "--matches", "40", "--concurrency", "1")
        assert "control room  http://127.0.0.1:" in said, said
        yield folder
    finally:
        typed(folder, "down")


@pytest.fixture(scope="module")
def url(place: Path) -> str:
    state = Instance.named("default", place / ".lab").read()
    assert state is not None
    return state.places["control room"]


@pytest.fixture(scope="module")
def ends(place: Path) -> Endpoints:
    return Instance.named("default", place / ".lab").read_up()[1]


@pytest.fixture
def opened(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Gives a function that opens an address; whatever a page complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(address: str, size: str = "desktop", scheme: str = "light") -> Any:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        context.set_default_timeout(WITHIN_MS)
        page = context.new_page()

        def heard(message: Any) -> None:
            if message.type == "error" and REFUSED not in message.text:
                complaints.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith(address):
                complaints.append(f"{request.url} is elsewhere")

        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", heard)
        page.on("request", asked)
        page.goto(address)
        page.locator("#live.on").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def number(page: Any, key: str) -> float:
    """A number of the picture; -1 if there is none."""
    text = page.locator(f"svg.wide [data-t='{key}']").text_content() or ""
    found = re.match(r"[<]?([0-9.,]+)", text)
    return float(found[1].replace(",", "")) if found else -1.0


def test_from_load_to_fault_to_verdict(opened: Any, url: str, place: Path) -> None:
    """The broker is killed under load, and the verdict says that nothing was lost."""
    page = opened(url)
    page.select_option("#profile", "steady")
    page.fill("#load-seconds", "120")
    shown = page.locator("[data-command='load']", has_text="steady --for 120s --may-be-late")
    command = shown.text_content()
    page.click("#start-load")
    page.locator("#said", has_text=f"$ {command}").wait_for()
    eventually(
        "messages to be published", lambda: number(page, "published") > 5, within_s=WITHIN_MS / 1000
    )
    page.click("#start-load")
    page.locator("#said.refused", has_text="runs already").wait_for()

    page.select_option("#fault", "broker-killed")
    page.fill("#strike-seconds", "3")
    page.click("#strike")
    page.locator("svg.wide [data-k='queue'][data-s='broken']").wait_for()
    page.locator("#flow .shade").wait_for(state="attached")
    page.get_by_text("Nothing: all that is wrong now is wrong by itself.").wait_for()
    eventually(
        "messages to take effect again",
        lambda: number(page, "stored") > 1,
        within_s=WITHIN_MS / 1000,
    )

    page.click("#settle")
    verdict = page.locator("#verdict .verdict.good")
    verdict.wait_for(timeout=240_000)
    assert "VALID" in verdict.text_content()
    assert verdict.locator(".laws li .sign.good").count() == 5
    run = next((place / ".runs").glob("*-load-steady"))
    judged = json.loads((run / "verdict.json").read_text())
    assert [fault["name"] for fault in judged["faults"]] == ["broker-killed"]
    assert f"{judged['counts']['accepted']:,} accepted" in verdict.text_content()
    page.locator(f"#runs a#report-{run.name}").wait_for()

    report = page.context.new_page()
    report.goto(f"{url}runs/{run.name}/report.html")
    report.get_by_role("heading", name="Load steady").wait_for()
    report.locator("#latency svg").first.wait_for(state="attached")  # its script could draw


def test_all_of_it_is_reached_by_keyboard(opened: Any, url: str) -> None:
    page = opened(url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
    wanted = {"profile", "start-load", "start-season", "fault", "strike", "kill-worker-0",
              "count", "scale", "look", "replay-all", "slo"}  # fmt: skip
    assert wanted <= seen

    page.focus("#wide-worker-1")
    page.keyboard.press("Enter")
    struck = "fault strike worker-killed --for 5s --set index=1"
    page.locator("#said", has_text=struck).wait_for()
    page.locator("svg.wide [data-k='worker-1'][data-s='broken']").wait_for()
    page.get_by_text("Nothing: all that is wrong now is wrong by itself.").wait_for()
    # The picture was drawn anew meanwhile, for a while perhaps without that worker.
    page.wait_for_function("document.activeElement.id == 'wide-worker-1'")


def test_workers_are_scaled_and_shown(opened: Any, url: str) -> None:
    page = opened(url)
    for count in (3, 2):
        page.fill("#count", str(count))
        page.click("#scale")
        eventually(
            f"{count} workers in the picture",
            lambda: page.locator("svg.wide a.worker").count() == count,  # noqa: B023
            within_s=WITHIN_MS / 1000,
        )


def test_a_command_that_is_shown_does_the_same_in_a_fresh_shell(
    opened: Any, url: str, place: Path
) -> None:
    """One copies it from the browser, and types it in the folder in which the lab was started."""
    page = opened(url)
    command = page.locator("[data-command='scale']").text_content()
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        ["sh", "-c", command], cwd=place, env=env, capture_output=True, timeout=240, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"The lab 'default' has 2 workers.\n"), done


def test_dead_letters_are_looked_at_by_reason_and_replayed(
    opened: Any, url: str, ends: Endpoints
) -> None:
    page = opened(url)
    with amqp.channel(ends.broker_urls["admin"]) as on:
        on.confirm_delivery()
        amqp.send(on, b"no message", exchange=EXCHANGE, key=PROCESS_QUEUE, properties={})
    page.locator("#reasons").get_by_text("unreadable", exact=True).wait_for()
    eventually(
        "the letter to be counted",
        lambda: page.locator("svg.wide [data-t='dead.1']").text_content() == "1 kept",
        within_s=WITHIN_MS / 1000,
    )
    page.click("#look")
    looked = page.locator("details.job", has_text="ctl dead-letters list").locator("pre")
    looked.get_by_text("1 dead letter").wait_for()

    page.click("#replay-unreadable")
    replayed = page.locator("details.job", has_text="replay --reason unreadable").locator("pre")
    replayed.get_by_text("would die again").wait_for()  # and is kept, since it can help nobody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_is_readable(opened: Any, url: str, size: str, scheme: str) -> None:
    """Nothing is wider than the window, no text of the picture is outside of its box or faint."""
    page = opened(url, size, scheme)
    eventually(
        "numbers", lambda: page.locator("[data-t='stored']").first.text_content(), within_s=60
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    picture = {"desktop": "wide", "phone": "tall"}[size]
    assert page.locator(f"svg.way.{picture}").is_visible()
    assert page.locator("svg.way").count() - 1 == page.locator("svg.way:not(:visible)").count()
    assert page.evaluate(_OUTSIDE, f"svg.way.{picture}") == []
    faint = page.evaluate(
        _FAINT, f"svg.way.{picture} text, h1, h2, p, label, button, td, a:not(.worker), summary"
    )
    assert faint == []


_OUTSIDE = """picture => {
  const svg = document.querySelector(picture), found = [];
  const whole = svg.getBoundingClientRect();
  for (const text of svg.querySelectorAll("text")) {
    const at = text.getBoundingClientRect();
    const rect = text.closest(".box, .worker")?.querySelector("rect");
    const box = rect?.getBoundingClientRect() ?? whole;
    if (at.width && (at.left < box.left - 1 || at.right > box.right + 1
        || at.top < box.top - 1 || at.bottom > box.bottom + 1)) found.push(text.textContent);
  }
  return found;
}"""
_FAINT = """chosen => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = each => {
    for (; each; each = each.parentElement) {
      const rect = each.matches("g, a.worker") && each.querySelector(":scope > rect");
      const colour = rect ? getComputedStyle(rect).fill : getComputedStyle(each).backgroundColor;
      const found = parts(colour);
      if (found.length < 4 || found[3] > 0.5) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const each of document.querySelectorAll(chosen)) {
    if (!each.checkVisibility() || !each.textContent.trim() || each.disabled) continue;
    const style = getComputedStyle(each);
    const ink = parts(each.ownerSVGElement ? style.fill : style.color);
    const [a, b] = [ink, behind(each)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const said = each.textContent.trim().slice(0, 40);
    if (contrast < 4.5) faint.push(`${said}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


def test_a_run_is_watched_and_ends_with_its_report(opened: Any, tmp_path: Path) -> None:
    """`lab run` prints an address first; whoever has it open in the end sees the report."""
    words = ("run", "--matches", "60", "--scrapes", "3", "--latency-ms", "600000")
    with lab(tmp_path, *words) as running:
        assert running.stdout is not None
        first = next(line for line in running.stdout if "Watch it" in line)
        page = opened(first.split()[-1])
        assert page.locator("button").count() == 0
        eventually("its messages", lambda: number(page, "published") > 0, within_s=240)
        page.wait_for_url("**/report.html", timeout=240_000)
        page.get_by_role("heading", name="season").wait_for()
        said = running.stdout.read()
        running.wait(60)
    assert running.returncode == 0, said
