"""The league's pages as files: saved, or handed to the scraper one by one at chosen moments.

A page that is handed over is a named pipe. The scraper opens it like any file, and reads nothing
before it is written: so an experiment decides what happens between two pages.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import urllib3

from lab.experiment.lab import Lab
from lab.substrates.abilities import SharesFiles
from lab.wait import eventually

READER_WITHIN_S = 60.0


def fetch_page(lab: Lab, moment: datetime, number: int) -> bytes:
    """One page of the league's schedule, as of `moment`."""
    response = urllib3.request(
        "GET",
        f"{lab.endpoints.site_url}/at/{moment.isoformat()}/schedule",
        fields={"page": str(number)},
        timeout=urllib3.Timeout(connect=20, read=60),
        retries=False,
    )
    if response.status != 200:
        raise ValueError(f"page {number} at {moment}: the site answered {response.status}")
    return response.data


def save_page(lab: Lab, moment: datetime, number: int) -> str:
    """Save such a page in the working folder; return the file's name."""
    name = f"page-{moment:%Y%m%d}-{number}.html"
    lab.programs.write(name, fetch_page(lab, moment, number))
    return name


def create_pipe(lab: Lab, number: int) -> Path:
    """Create the pipe of a page in the working folder; `hand_over` writes the page."""
    assert isinstance(lab.substrate, SharesFiles)
    path = lab.substrate.place(f"page-{number}.pipe")
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def hand_over(path: Path, content: bytes) -> None:
    """Write a page into its pipe, once the scraper reads from it."""
    # Opened in this way, a pipe without a reader is an error instead of an endless wait.
    pipe = eventually(
        f"the scraper to open {path.name}",
        lambda: os.open(path, os.O_WRONLY | os.O_NONBLOCK),
        within_s=READER_WITHIN_S,
        tolerate=(OSError,),
    )
    os.set_blocking(pipe, True)
    with os.fdopen(pipe, "wb") as out:
        out.write(content)
