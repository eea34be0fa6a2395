"""Parts of rows worked on by a Ray cluster, or by a Ray that is started on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import tutelage
from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import Scale
from tutelage.curate.packed import Packed
from tutelage.curate.runner import AHEAD, Done, Task, done, in_order


class OnRay:
    """Ray's workers; they need this tutelage, of this version, installed."""

    def __init__(self, scale: Scale, ends: ExitStack) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingCapability(
                "`curate.scale.runner: ray` needs Ray, which is not installed",
                where="curate.scale",
                hint='pip install "tutelage[scale]"',
            ) from error
        self._ray: Any = ray
        if not self._ray.is_initialized():
            self._start(scale)
            ends.callback(self._ray.shutdown)
        found = int(self._ray.cluster_resources().get("CPU", 1))
        self._ahead = AHEAD * (scale.workers or max(1, found))
        self._work = self._ray.remote(num_cpus=1, max_retries=3)(_done)

    def map(self, task: Task, parts: Iterable[Packed]) -> Iterator[Done]:
        """What the task gives of each part, in order; a part is tried again where a worker died."""
        held = self._ray.put((tutelage.__version__, task))
        yield from in_order(lambda part: self._work.remote(held, part).future(), parts, self._ahead)

    def _start(self, scale: Scale) -> None:
        local = {} if scale.address else {"num_cpus": scale.workers, "include_dashboard": False}
        try:
            self._ray.init(
                address=scale.address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **local,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise MissingCapability(
                f"Ray cannot be reached: {error}",
                where="curate.scale.address",
                hint="`ray start --head` starts a cluster; without `address` one begins here",
            ) from error


def _done(told: tuple[str, Task], part: Packed) -> Done:
    version, task = told
    if version != tutelage.__version__:
        raise MissingCapability(
            f"a Ray worker has tutelage {tutelage.__version__}; expected {version}",
            hint="install the same version on every machine of the cluster",
        )
    return done(task, part)
