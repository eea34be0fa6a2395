"""The processes that train together, as the loop sees them; one process is a group of one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore, Store

from tutelage.core.errors import BadRow, PeerLost, TrainingError, UsageError
from tutelage.core.world import World
from tutelage.render.pack import PackedRow
from tutelage.train.meeting import connect, tell
from tutelage.train.patience import Patience, warn
from tutelage.train.share import cost, shares

log = logging.getLogger(__name__)

BUCKET = 25 << 20  # bytes of gradients that travel at once
PATIENCE = timedelta(hours=1)  # a process that died is noticed by whoever launched it
WEIGHT_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
Value = TypeVar("Value")


class Group:
    """What the ranks of one training tell each other; in a group of one, nothing is told.

    That a rank waits long is told of what is written here. Gathers of sharded weights, within
    a pass and as they are saved, are torch's: only its own limit, an hour, ends those.
    """

    def __init__(self, world: World | None = None, *, patience: Patience | None = None) -> None:
        self.world = world or World()
        self.sharded = False  # each rank holds a part of every weight
        self.rank, self.size = self.world.rank, self.world.size
        self.patience = patience or Patience(warn(self.rank))

    def in_parts(self) -> Group:
        """The same ranks, each of which holds a part of every weight."""
        found = Group(self.world, patience=self.patience)
        found.sharded = True
        return found

    @property
    def first(self) -> bool:
        """Whether this rank writes and prints."""
        return self.rank == 0

    def share(self, rows: Sequence[PackedRow], width: int) -> tuple[int, ...]:
        """The places of the rows this rank takes."""
        return self._shares(rows, width)[self.rank]

    def idle_turns(self, rows: Sequence[PackedRow], width: int) -> int:
        """Turns without a row: ranks that hold parts of the weights all take as many."""
        if not self.sharded:
            return 0
        every = self._shares(rows, width)
        return max(map(len, every)) - len(every[self.rank])

    def _shares(self, rows: Sequence[PackedRow], width: int) -> list[tuple[int, ...]]:
        return shares([cost(row, width) for row in rows], self.size)

    @torch.no_grad()
    def reduce(self, weights: Iterable[nn.Parameter], loss: float) -> float:
        """Sums the gradients, and the loss that is returned, over all ranks.

        A rank without rows gives zeros. Gradients of sharded weights are summed already.
        """
        if self.size == 1:
            return loss
        whole = [] if self.sharded else list(weights)
        for weight in whole:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for bucket in _buckets([weight.grad for weight in whole if weight.grad is not None]):
            flat = torch.cat([grad.flatten().float() for grad in bucket])
            with self.patience:
                dist.all_reduce(flat)
            for grad, part in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                grad.copy_(part.view_as(grad))
        return self.sum(loss)[0]

    def sum(self, *values: float) -> tuple[float, ...]:
        """The values summed over all ranks, in double precision."""
        if self.size == 1:
            return values
        told = torch.tensor(values, dtype=torch.float64)
        with self.patience:
            dist.all_reduce(told)
        return tuple(told.tolist())

    def any(self, flag: bool) -> bool:
        """Whether it is so on one rank at least."""
        return self.sum(float(flag))[0] > 0

    def collect(self, mine: Mapping[int, Value]) -> list[Value]:
        """What all ranks have, ordered by place."""
        if self.size == 1:
            return [mine[place] for place in sorted(mine)]
        every: list[Mapping[int, Value]] = [{} for _ in range(self.size)]
        with self.patience:
            dist.all_gather_object(every, dict(mine))
        found = {place: value for one in every for place, value in one.items()}
        return [found[place] for place in sorted(found)]

    def same(self, value: Value) -> Value:
        """Rank 0's value, on every rank."""
        if self.size == 1:
            return value
        told = [value]
        with self.patience:
            dist.broadcast_object_list(told, src=0)
        return told[0]

    def check_step(self, step: int) -> None:
        """Whether every rank goes on from the same step.

        Raises: TrainingError where they found different checkpoints.
        """
        steps = self.collect({self.rank: step})
        if len(set(steps)) > 1:
            raise TrainingError(
                "the ranks found different checkpoints",
                expected="one project folder that every node sees",
                rows=_by_rank([f"goes on after step {one}" for one in steps]),
                hint="put the recipe's folder on a file system that all nodes share",
            )

    def check_equal(self, weights: Mapping[str, Tensor], step: int) -> None:
        """Whether the weights are the same on every rank, bit for bit; sharded ones are no copies.

        Raises: TrainingError that names the first that differs.
        """
        if self.size == 1 or self.sharded:
            return
        sums = torch.stack([checksum(weight) for weight in weights.values()]).cpu()
        every = self.collect({self.rank: sums})
        for at, name in enumerate(weights):
            found = [int(one[at]) for one in every]
            if len(set(found)) > 1:
                raise TrainingError(
                    f"after step {step} the ranks hold different weights, `{name}` first",
                    expected="the same bits on every rank",
                    rows=_by_rank([f"checksum {one & (2**64 - 1):016x}" for one in found]),
                    hint="a processor or its memory errs, or a rank runs other code; the same "
                    "command goes on from the last checkpoint",
                )

    def wait(self) -> None:
        """Returns when all ranks have come this far."""
        self.sum(0.0)

    def close(self) -> None:
        """Leaves the group, when all ranks have come this far."""
        if self.size > 1:
            self.wait()
            dist.destroy_process_group()
        self.patience.close()


def open_group(world: World, store: Store, number: int = 0) -> Group:
    """Joins the other ranks for one training of this start, counted from 0: NCCL where there
    are GPUs, and gloo for what lies in main memory.

    Raises: PeerLost where they do not come; UsageError where this rank has no GPU of its own.
    """
    cuda = torch.cuda.is_available()
    if cuda:
        count = torch.cuda.device_count()
        if world.local_rank >= count:
            raise UsageError(
                f"rank {world.rank} is number {world.local_rank} of this machine, which has "
                f"{count} GPUs",
                expected=f"at most {count} processes a machine",
                hint=f"start with `--nproc {count}`, or hide the GPUs to train on the CPU",
            )
        torch.cuda.set_device(world.local_rank)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    with together():
        dist.init_process_group(
            backend,
            store=PrefixStore(f"ranks/{number}", store),
            rank=world.rank,
            world_size=world.size,
            timeout=PATIENCE,
        )
    log.info("rank %d of %d, %s", world.rank, world.size, backend)
    return Group(world)


@contextmanager
def joined(world: World, announced: Mapping[str, str]) -> Iterator[Group]:
    """Rank 0's group for the block: the others hear what is announced, and come."""
    if world.size == 1:
        yield Group()
        return
    store = connect(world)
    group = open_group(world, store, tell(store, {"ready": dict(announced)}))
    with together():
        yield group
        group.close()


@contextmanager
def together() -> Iterator[None]:
    """A block in which ranks wait for each other.

    Raises: PeerLost where one of them is gone.
    """
    try:
        yield
    except RuntimeError as error:  # gloo's and NCCL's alike
        if not lost(error):
            raise
        raise PeerLost(
            "another process of the training is gone",
            hint="see what ended it where it was started; the same command goes on",
        ) from error


def lost(error: RuntimeError) -> bool:
    """Whether this is how torch says that another process does not answer."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def checksum(weight: Tensor) -> Tensor:
    """A number that changes with any bit of a tensor, whatever device it lies on."""
    bits = weight.detach().contiguous().flatten().view(WEIGHT_BITS[weight.element_size()])
    place = torch.arange(1, 2 * bits.numel(), 2, device=bits.device)  # odd: no bit is lost
    return (bits.to(torch.int64) * place).sum()


def threads_of(count: int | None, world: World) -> int | None:
    """CPU threads of one rank: the recipe's, or torch's own, shared by those of a machine.

    Torch's own stay where the environment names them: that is said of one process.
    """
    if world.size == 1 or (count is None and "OMP_NUM_THREADS" in os.environ):
        return count
    return max(1, (count or torch.get_num_threads()) // world.local_size)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        bucket.append(gradient)
        size += 4 * gradient.numel()
        if size >= BUCKET:
            yield bucket
            bucket, size = [], 0
    if bucket:
        yield bucket


def _by_rank(problems: Sequence[str]) -> list[BadRow]:
    return [BadRow(where=f"rank {rank}", problem=says) for rank, says in enumerate(problems)]
