"""Runs Locust beside a lab, in a Job of its own, and takes home what the run has left.

There it knows the lab by its addresses only, as a system elsewhere; the audit is made in the Job,
and its exit code is the Job's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import CannotRun
from lab.experiment.runs import new_folder
from lab.experiment.work import JOINING
from lab.substrates.on_cluster import Job, RunsJobs
from lab.substrates.protocol import Endpoints, Substrate

IMAGE = "messaging-load:dev"
"""What `make image-load` builds."""
VARIABLE = "MISSING_TABLE_IMAGE_LOAD"
FOLDER = Path("/app/load")
"""Where this package is in the image."""
NAME = "load"
WITHIN_S = 3600.0


def image(environment: Mapping[str, str] = os.environ) -> str:
    """The image that has Locust."""
    return environment.get(VARIABLE) or IMAGE


def run(
    place: Substrate,
    of: str,
    words: Sequence[str],
    more: Sequence[str],
    say: Callable[[str], None],
) -> int:
    """Run Locust to its end beside a lab that is up; return its exit code.

    Args:
        of: the image.
        words: how it is called there; `more` comes after the lab's address.

    Raises:
        LabError: the lab runs no jobs, or this one could not be run.
    """
    if not isinstance(place, RunsJobs):
        raise CannotRun(f"Locust cannot run beside a lab on {place.name!r}: leave --inside out")
    place.up(JOINING)
    try:
        within, folder = place.endpoints_within(), new_folder("load-inside")
        command = (*words, "--host", within.api_url, *more)
        job = Job(NAME, of, command, settings(within), take=".runs/latest", within_s=WITHIN_S)
        code = place.run_job(job, folder, say)
        say(f"what it left is in {folder}")
        return code
    finally:
        place.down()


def settings(ends: Endpoints) -> dict[str, str]:
    """What a load needs to know of a system elsewhere; see `lab.substrates.elsewhere`. Pure."""
    at = urlsplit(ends.management_url)
    login = urlsplit(ends.broker_urls["operator"]).netloc.rpartition("@")[0]
    return {
        "MISSING_TABLE_API_TOKEN": ends.api_token,
        "MISSING_TABLE_BROKER_URL": ends.broker_urls["scraper"],
        "MISSING_TABLE_OPERATOR_URL": ends.broker_urls["operator"],
        "MISSING_TABLE_MANAGEMENT_URL": f"{at.scheme}://{login}@{at.netloc}",
    }
