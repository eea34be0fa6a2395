"""Parts of rows worked on by Daft's native runner."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from tutelage.core.errors import MissingCapability
from tutelage.curate.packed import Packed
from tutelage.curate.runner import Done, Task, done

WAVE = 8  # parts for each worker that go through one plan


class OnDaft:
    """Daft's workers on this machine; so many parts at a time go through one plan."""

    def __init__(self, workers: int) -> None:
        try:
            import daft
        except ImportError as error:
            raise MissingCapability(
                "`curate.scale.runner: daft` needs Daft, which is not installed",
                where="curate.scale",
                hint='pip install "tutelage[scale]"',
            ) from error
        self._daft: Any = daft
        self._workers = workers

    def map(self, task: Task, parts: Iterable[Packed]) -> Iterator[Done]:
        """What the task gives of each part, in order."""
        daft = self._daft
        binary = daft.DataType.binary()
        work = daft.udf(
            return_dtype=binary, concurrency=self._workers, batch_size=1, use_process=True
        )(_Work).with_init_args(pickle.dumps(task))
        waiting = iter(parts)
        while wave := list(islice(waiting, WAVE * self._workers)):
            frame = daft.from_pydict(
                {"number": list(range(len(wave))), "part": [pickle.dumps(one) for one in wave]}
            )
            told = frame.select(frame["number"], work(frame["part"]).alias("done")).to_pydict()
            found = dict(zip(told["number"], told["done"], strict=True))
            for number in range(len(wave)):
                answer: Done = pickle.loads(found[number])
                yield answer


class _Work:
    """A task in one of Daft's processes."""

    def __init__(self, task: bytes) -> None:
        self._task: Task = pickle.loads(task)

    def __call__(self, parts: Any) -> list[bytes]:
        return [pickle.dumps(done(self._task, pickle.loads(one))) for one in parts.to_pylist()]
