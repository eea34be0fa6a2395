"""Being asked to stop: which signals are heard, how often, and what comes after the block."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tutelage.train.asked import asked_to_stop, stopping

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[list[int]]:
    """What hears signals outside the block: a list."""
    heard: list[int] = []
    before = {kind: signal.signal(kind, lambda number, _: heard.append(number)) for kind in HEARD}
    yield heard
    for kind, handler in before.items():
        signal.signal(kind, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", HEARD)
def test_the_first_signal_is_noted_and_the_second_is_as_it_would_have_been(
    number: signal.Signals, own_handlers: list[int]
) -> None:
    with asked_to_stop() as asked:
        assert (asked.by, asked.signals) == ("", [])
        send(number)
        assert (asked.by, asked.signals) == (number.name, [number])
        send(signal.SIGTERM)
    assert own_handlers == [signal.SIGTERM]
    assert asked.signals == [number]


def test_every_signal_is_noted_where_it_is_asked_for(own_handlers: list[int]) -> None:
    with asked_to_stop(again=True) as asked:
        for number in HEARD:
            send(number)
    assert (asked.by, asked.signals) == ("SIGTERM", list(HEARD))
    send(signal.SIGINT)
    assert own_handlers == [signal.SIGINT]


def test_a_closed_terminal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stopping(), asked_to_stop() as asked:
        send(signal.SIGHUP)
    assert asked.signals == []
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_block_as_ctrl_c_does(number: signal.Signals) -> None:
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)
    with pytest.raises(KeyboardInterrupt), stopping():
        send(number)
    assert signal.getsignal(number) == signal.SIG_DFL
    with stopping(), asked_to_stop() as asked:
        send(number)
    assert asked.by == number.name
