"""Pages for tests, in the markup of the league's site, and a small server that serves them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGES = Path(__file__).parent / "pages"

ROW = {
    "number": "101201\t\nMALE",
    "when": "10/18/25 10:00am",
    "venue": "Field 1",
    "age": "U14",
    "competition": "League",
    "division": "Northeast",
    "first": "NEFC",
    "score": "2 : 1",
    "second": "Seacoast United",
}


def row(**changes: str) -> str:
    """One match as the site shows it, with the hidden twin for small screens behind it."""
    cell = {**ROW, **changes}
    place = f'<p data-title="Location">{cell["venue"]}</p>'
    score = f'<span class="score-match-table">{cell["score"]}</span>'
    columns = f"""
  <div class="col-sm-1 pull-left">{cell["number"]}</div>
  <div class="col-sm-2 pull-left">{cell["when"]}<br>{place}</div>
  <div class="col-sm-1 pull-left">{cell["age"]}</div>
  <div class="col-sm-2 pull-left">{cell["competition"]}<br><p>{cell["division"]}</p></div>
  <div class="col-sm-6 pull-left"><div class="row">
    <div class="col-sm-5 container-first-team"><p data-title="x">{cell["first"]}</p></div>
    <div class="col-sm-2 container-score">{score}</div>
    <div class="col-sm-5 container-second-team"><p data-title="x">{cell["second"]}</p></div>
  </div></div>"""
    return "".join(
        f'<div class="row table-content-row {size}">{columns}\n</div>\n'
        for size in ("hidden-xs", "visible-xs")
    )


def page(*rows: str, following: str | None = None, league: str = "Homegrown") -> str:
    """A page with these rows; `following` is the address behind Next, None on the last page."""
    state, target = ("", f' href="{following}"') if following else ("disabled", "")
    return f"""<!doctype html><html><body><div class="container-fluid">
<h1 data-league="{league}">{league} Division</h1>
{"".join(rows)}</div>
<ul class="pagination"><li class="disabled"><a>Prev</a></li>
<li class="{state}"><a{target} rel="next">Next</a></li></ul></body></html>"""


Answer = Callable[[BaseHTTPRequestHandler], None]


def html(text: str) -> Answer:
    """Answer with a page."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = text.encode()
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    """Answer with a redirect."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def failing(status: int) -> Answer:
    """Answer with an error."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


@contextmanager
def serve(answer: Callable[[str, int], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Serve on a free port; give the address without a slash, and the paths asked for so far.

    Args:
        answer: from path and how often it was asked for before, to what is answered.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            before = asked.count(self.path)
            asked.append(self.path)
            answer(self.path, before)(self)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
