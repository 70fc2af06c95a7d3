"""Ports that labs do not fight over."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from lab.errors import CannotRun
from lab.substrates.local import ports
from lab.substrates.local.ports import BLOCK, BLOCKS_MAX, FIRST, HOST, LAST, Ports, is_free


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_labs_that_start_alike_still_take_different_blocks(cleanup: ExitStack) -> None:
    first, second = Ports(random.Random(7)), Ports(random.Random(7))
    cleanup.callback(first.release)
    cleanup.callback(second.release)

    assert first.first != second.first


def test_a_released_block_can_be_taken_again(cleanup: ExitStack) -> None:
    first = Ports(random.Random(11))
    first.release()
    second = Ports(random.Random(11))
    cleanup.callback(second.release)

    assert second.first == first.first


def test_a_port_that_a_stranger_took_is_passed_over(cleanup: ExitStack) -> None:
    block = Ports()
    cleanup.callback(block.release)
    stranger = cleanup.enter_context(closing(socket.socket()))
    # As servers do: a connection of an earlier owner of the block may not be forgotten yet.
    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stranger.bind((HOST, block.first + 1))
    stranger.listen(1)

    assert not is_free(block.first + 1)
    assert block.take() == block.first + 2


def test_ports_are_distinct_and_below_the_range_that_the_system_hands_out(
    cleanup: ExitStack,
) -> None:
    block = Ports()
    cleanup.callback(block.release)

    taken = [block.take() for _ in range(20)]

    assert len(set(taken)) == 20
    assert all(FIRST < port < LAST for port in taken)
    assert LAST < 32_768  # the first ephemeral port of Linux; macOS begins higher


def test_a_block_that_strangers_have_taken_is_left_for_another(
    cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = Ports()
    cleanup.callback(block.release)
    strangers = range(block.first, block.first + BLOCK)
    free = ports._refusal
    monkeypatch.setattr(
        ports, "_refusal", lambda port: OSError("in use") if port in strangers else free(port)
    )

    port = block.take()
    assert port not in strangers
    # The new block is held as the first one is.
    others = Ports()
    cleanup.callback(others.release)
    assert not 0 < port - others.first < BLOCK


def test_who_needs_too_many_ports_is_told_and_why(
    cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = Ports()
    cleanup.callback(block.release)
    monkeypatch.setattr(ports, "_refusal", lambda port: None)
    for _ in range((BLOCK - 1) * BLOCKS_MAX):
        block.take()

    with pytest.raises(CannotRun, match=r"used up or taken by others$"):
        block.take()

    full = Ports()
    cleanup.callback(full.release)
    monkeypatch.setattr(ports, "_refusal", lambda port: OSError("Address already in use"))
    with pytest.raises(CannotRun, match=r"taken by others \(Address already in use\)"):
        full.take()
