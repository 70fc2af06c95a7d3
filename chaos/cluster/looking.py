"""Waits for what is to be seen of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chaoslib.exceptions import ActivityFailed
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from lab.errors import LabError, NotWithin
from lab.wait import eventually

T = TypeVar("T")


def within(within_s: float, what: str, look: Callable[[], T]) -> T:
    """Look until there is something; return it.

    Raises:
        ActivityFailed: there was nothing in time.
    """
    try:
        return eventually(
            what, look, within_s=within_s, every_s=0.3, tolerate=(LabError, ApiException, HTTPError)
        )
    except NotWithin as error:
        raise ActivityFailed(str(error)) from error
