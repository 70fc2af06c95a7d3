"""The league's pages as files: saved, or handed to the scraper one by one, when the hour has come.

A page that is handed over is a named pipe. The scraper opens it like any file, and reads nothing
before somebody writes: so an experiment decides what happens between two pages.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
import urllib3

from lab.experiment.lab import Lab
from lab.substrates.protocol import SharesFiles
from lab.wait import eventually

READER_WITHIN_S = 60.0


def page(lab: Lab, moment: datetime, number: int) -> bytes:
    """One page of the league's schedule, as it stands at `moment`."""
    response = urllib3.request(
        "GET",
        f"{lab.endpoints.site_url}/at/{moment.isoformat()}/schedule",
        fields={"page": str(number)},
        timeout=urllib3.Timeout(connect=3, read=10),
        retries=False,
    )
    if response.status != 200:
        raise ValueError(f"page {number} at {moment}: the site answered {response.status}")
    return response.data


def saved(lab: Lab, moment: datetime, number: int) -> str:
    """The same, saved in the working folder; gives the file's name."""
    name = f"page-{moment:%Y%m%d}-{number}.html"
    lab.programs.write(name, page(lab, moment, number))
    return name


def empty(lab: Lab, number: int) -> Path:
    """A page that is still to be handed over, in the working folder; see `hand_over`."""
    if not isinstance(lab.substrate, SharesFiles):
        pytest.skip("a page that is handed over needs a working folder of this machine")
    path = lab.substrate.place(f"page-{number}.pipe")
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def hand_over(path: Path, content: bytes) -> None:
    """Write a page into its pipe, once the scraper wants to read it."""
    # Opened in this way, a pipe without a reader is an error instead of a wait without end.
    pipe = eventually(
        f"the scraper to open {path.name}",
        lambda: os.open(path, os.O_WRONLY | os.O_NONBLOCK),
        within_s=READER_WITHIN_S,
        tolerate=(OSError,),
    )
    os.set_blocking(pipe, True)
    with os.fdopen(pipe, "wb") as out:
        out.write(content)
