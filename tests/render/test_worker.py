"""Rendering processes that end too early, on either side of the pipe."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.render.bases import plain_base
from tutelage.core.errors import TutelageError
from tutelage.core.recipe import Teach
from tutelage.render.worker import Order, _end, _exchange

DIES_ANSWERING = """
import pickle, sys
pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(bytes(1000))[:500])
"""


def started(code: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe)


def test_a_process_that_dies_while_it_answers_is_told() -> None:
    with (
        started(DIES_ANSWERING) as worker,
        pytest.raises(TutelageError, match="ended before its work was done") as raised,
    ):
        _exchange(worker, "asked")
    assert isinstance(raised.value.__cause__, pickle.UnpicklingError)


def test_a_process_that_died_before_it_read_all_is_ended_in_silence() -> None:
    with started("") as worker:
        worker.wait()
        assert worker.stdin is not None
        worker.stdin.write(b"not read")
        _end(worker)
        assert worker.stdin.closed


@pytest.mark.parametrize("whole", [True, False])
def test_a_process_whose_parent_has_gone_ends_in_silence(tmp_path: Path, whole: bool) -> None:
    order = Order(rows=tmp_path, contract={}, base=plain_base(tmp_path), teach=Teach())
    asked = pickle.dumps(order)
    with started("from tutelage.render.worker import main; main()") as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stderr is not None
        worker.stdout.close()
        worker.stdin.write(asked if whole else asked[: len(asked) // 2])
        worker.stdin.close()
        assert worker.stderr.read() == b""
    assert worker.returncode == 0
