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
    assert told[0] >= 0.02
    assert told[1] >= 0.04
    never = Patience(lambda _: pytest.fail("it was short"), slow=3600, look=0.0001)
    for _ in range(1000):
        with never:
            pass


def test_the_warning_names_the_rank_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn(3)(121.4)
    assert "rank 3 has waited 121 s for the others" in caplog.text
    assert "Ctrl-C" in caplog.text
