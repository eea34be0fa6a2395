from __future__ import annotations

import logging
import threading

import pytest

from tutelage.train.patience import Patience, warn


def test_a_long_wait_is_told_again_and_again_and_a_short_one_never() -> None:
    told: list[float] = []
    twice = threading.Event()

    def hear(seconds: float) -> None:
        told.append(seconds)
        if len(told) == 2:
            twice.set()

    patience = Patience(hear, slow=0.02, look=0.001)
    with patience:
        assert twice.wait(timeout=20)
    patience.close()
    assert told[0] >= 0.02
    assert told[1] >= 0.04
    never = Patience(lambda _: pytest.fail("it was short"), slow=3600, look=0.0001)
    for _ in range(1000):
        with never:
            pass
    never.close()


def test_each_wait_is_told_from_its_own_beginning() -> None:
    told: list[float] = []
    heard = threading.Event()

    def hear(seconds: float) -> None:
        told.append(seconds)
        if len(told) in (6, 7):
            heard.set()

    with Patience(hear, slow=0.02, look=0.001) as patience:
        assert heard.wait(timeout=20)
    heard.clear()
    with patience:
        assert heard.wait(timeout=20)
    patience.close()
    assert told[5] >= 0.64  # the least wait, doubled five times
    assert 0.02 <= told[6] < 1.28


def test_its_thread_ends_with_it() -> None:
    patience = Patience(lambda _: None, slow=3600, look=3600)
    for _ in range(2):
        with patience:
            assert "patience" in names()
        patience.close()
        assert "patience" not in names()
    patience.close()


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_the_warning_names_the_rank_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn(3)(121.4)
    assert "rank 3 has waited 121 s for the others" in caplog.text
    assert "Ctrl-C" in caplog.text
