from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tutelage.core.errors import StoreError, TrainingError
from tutelage.train.writer import Writer


def test_writing_goes_on_beside_the_caller() -> None:
    gate, written = threading.Event(), threading.Event()

    def write() -> None:
        gate.wait(10)
        written.set()

    with Writer() as writer:
        writer.give(lambda: write)
        assert not written.is_set()
        gate.set()
    assert written.is_set()


def test_a_copy_is_made_only_when_the_one_before_is_on_disk() -> None:
    happened: list[str] = []

    def copy(name: str) -> Callable[[], Callable[[], object]]:
        def copying() -> Callable[[], object]:
            happened.append(f"copy {name}")
            return lambda: happened.append(f"write {name}")

        return copying

    with Writer() as writer:
        writer.give(copy("a"))
        writer.give(copy("b"))
    assert happened == ["copy a", "write a", "copy b", "write b"]


def fail(error: Exception) -> Callable[[], object]:
    def write() -> None:
        raise error

    return write


def test_what_went_wrong_in_the_thread_is_told_with_its_cause() -> None:
    with Writer() as writer:
        writer.give(lambda: fail(OSError("no such device")))
        with pytest.raises(TrainingError, match="no such device") as caught:
            writer.wait()
        assert isinstance(caught.value.__cause__, OSError)
        writer.check()  # once


def test_an_error_is_told_at_the_next_step_or_at_the_end() -> None:
    full = StoreError("the disk is full")
    with pytest.raises(StoreError, match="full"), Writer() as writer:
        writer.give(lambda: fail(full))
        while True:
            writer.check()
    with pytest.raises(StoreError, match="full"), Writer() as writer:
        writer.give(lambda: fail(full))


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_thread() -> None:
    with pytest.raises(KeyError), Writer() as writer:
        writer.give(lambda: fail(OSError("later")))
        raise KeyError("first")
