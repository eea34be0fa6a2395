"""A learner whose weights, gradients and optimizer states lie in parts on the ranks of a group.

A layer's weights are gathered when it computes and dropped after it; those outside the layers
(embeddings, norms, head) stay gathered from the forward to the end of the backward pass, so that
the loss sees the whole head. Source: FSDP, arXiv 2304.11277, in torch's second form of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.engine.attention import Layout
from tutelage.engine.backbone import Backbone, Decoder
from tutelage.engine.lowrank import LowRank
from tutelage.engine.optimizer import Muon, orthogonalise
from tutelage.engine.site import Site
from tutelage.train.budget import cast_bytes, counted_memory
from tutelage.train.device import choose_device
from tutelage.train.group import Group
from tutelage.train.weights import Learner

log = logging.getLogger(__name__)

ROOM = 0.8  # share of a GPU's memory that weights and states may take; the rest is activations


def among(section: Train, learner: Learner, group: Group) -> Learner:
    """The learner as each rank of the group holds it: a copy, or a part."""
    if not shards(section, learner, group):
        return replace(learner, group=group)
    _check_gathered(learner)
    group = group.in_parts()
    kind = choose_device(section).type
    mesh = init_device_mesh(kind, (group.size,))
    whole = Whole(learner.backbone)
    wide = learner.backbone.precision == torch.float32
    policy = MixedPrecisionPolicy(
        param_dtype=None if wide else learner.backbone.precision,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    shapes = {name: weight.shape for name, weight in learner.backbone.export().items()}
    for layer in learner.backbone.layers_apart():
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(whole, mesh=mesh, mp_policy=policy, reshard_after_forward=False)
    for part in whole.modules():
        if isinstance(part, FSDPModule):  # the loss is divided already: gradients are summed
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
    log.info("weights are sharded over %d ranks", group.size)
    backbone = ShardedBackbone(inner=learner.backbone, whole=whole, shapes=shapes)
    return replace(learner, backbone=cast(Backbone, backbone), group=group)


def _check_gathered(learner: Learner) -> None:
    """Raises: TrainingError where only what is computed after the sharded pass is trained: no
    gradient goes back through the pass then, and it is there that they are summed.
    """
    if set(learner.adapters) == {learner.backbone.head_site.path}:
        raise TrainingError(
            "weights are not sharded with an adapter on the head alone",
            where="train.parallel",
            expected="replicate or auto, or more in `train.lora.targets`",
        )


def shards(section: Train, learner: Learner, group: Group) -> bool:
    """Whether weights are sharded: where the recipe says so, or where it leaves the choice and
    all weights are trained on GPUs, one of which cannot hold weights, gradients and states.

    Raises: TrainingError where the recipe asks for it with what is kept whole.
    """
    if group.size == 1 or section.parallel == "replicate":
        return False
    whole = _kept_whole(section)
    if section.parallel == "shard":
        if whole:
            raise TrainingError(
                f"weights are not sharded with {whole}",
                where="train.parallel",
                expected="replicate or auto",
            )
        return True
    if whole:
        return False
    if section.method != "full" or not torch.cuda.is_available():
        return False
    room = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return not holds(section, learner, room)


def holds(section: Train, learner: Learner, room: int) -> bool:
    """Whether a device of so many bytes holds weights, gradients and states, and has room left."""
    whole = counted_memory(section, learner, apart=True).counted + cast_bytes(learner)
    return whole <= ROOM * room


def _kept_whole(section: Train) -> str | None:
    """What of the recipe needs whole matrices on every rank; None where nothing does."""
    if section.method == "qlora":
        return "`method: qlora`"
    if section.optimizer == "adamw8bit":
        return "`optimizer: adamw8bit`"
    if section.method == "lora" and section.lora.dora:
        return "`lora.dora`"
    pissa = section.method == "lora" and section.lora.init == "pissa"
    return "`lora.init: pissa`" if pissa else None


class Whole(nn.Module):
    """The model and what calls it, so that gathering begins with the call."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.model = backbone.module
        self.call = backbone.hidden

    def forward(self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor) -> Tensor:
        return self.call(tokens, position, layout, source)


class ShardedBackbone:
    """A backbone whose weights lie in parts on the ranks; every rank calls it alike.

    What is not written here is the inner backbone's. Its head is whole from a call to the end
    of the backward pass. `shapes` are those of the base weights, by the hub's names.
    """

    OWN = ("inner", "whole", "shapes")

    def __init__(self, inner: Backbone, whole: Whole, shapes: Mapping[str, torch.Size]) -> None:
        self.inner = inner
        self.whole = whole
        self.shapes = shapes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.inner, name, value)

    @property
    def module(self) -> nn.Module:
        """The weights in parts, for optimizers and state."""
        if isinstance(self.whole, FSDPModule):
            self.whole.reshard()  # a validation leaves those outside the layers gathered
        return self.inner.module

    def hidden(self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source` of a row `[T]`."""
        out: Tensor = self.whole(tokens, position, layout, source)
        return out

    def compile(self) -> None:
        """Nothing: gathering falls between what could be fused."""
        log.info("sharded layers are not compiled")

    def decoder(self) -> Decoder:
        """A fresh decoder over the same weights; every rank decodes the same."""
        if isinstance(self.whole, FSDPModule):
            self.whole.unshard()
        return self.inner.decoder()

    def attach(self, site: Site, adapter: LowRank) -> None:
        """Put an adapter on a layer, before its weights are sharded.

        Raises: TrainingError: they are.
        """
        raise TrainingError(f"an adapter comes too late for {site.path}: its weights are sharded")

    def export(self) -> dict[str, Tensor]:
        """Names and shapes of the base weights, without values: `gathered` has those."""
        return {name: torch.empty(shape, device="meta") for name, shape in self.shapes.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill base weights, before they are sharded.

        Raises: TrainingError: they are.
        """
        raise TrainingError(f"{len(weights)} weights come too late: they are sharded")


def gathered(learner: Learner) -> Learner:
    """The learner with its weights whole in rank 0's memory; every rank of the group does this.

    Raises: TrainingError where a weight has another shape than before, or an adapter that was
        trained changes nothing.
    """
    backbone = learner.backbone
    if not isinstance(backbone, ShardedBackbone):  # a copy is whole
        return learner
    _gather(backbone.module, keep=learner.group.first)
    if learner.group.first:
        found = {name: weight.shape for name, weight in backbone.inner.export().items()}
        wrong = [name for name, shape in backbone.shapes.items() if found.get(name) != shape]
        idle = learner.adapters and not any(
            bool(adapter.b.any()) for adapter in learner.adapters.values()
        )
        if wrong or idle:
            raise TrainingError(
                f"gathered weights are not whole: {', '.join(wrong) or 'every adapter is zero'}",
                hint="nothing is written; the same command goes on from the last checkpoint",
            )
    return replace(learner, backbone=backbone.inner)


@torch.no_grad()
def _gather(module: nn.Module, *, keep: bool) -> None:
    """Puts whole weights where the parts were; elsewhere than on rank 0, only their shapes."""
    done: dict[int, nn.Parameter] = {}  # a tied head stays tied
    for part in list(module.modules()):
        for name, weight in list(part.named_parameters(recurse=False)):
            if id(weight) not in done:
                full = weight.full_tensor() if isinstance(weight, DTensor) else weight.detach()
                full = full.cpu() if keep else full.to("meta")
                done[id(weight)] = nn.Parameter(full, requires_grad=weight.requires_grad)
            setattr(part, name, done[id(weight)])


class ShardedMuon(Muon):
    """Muon whose momentum lies in parts: a matrix is gathered, orthogonalised, and parted again."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update; every rank works out the whole of each matrix, one after the other."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                ahead: Any = self._ahead(weight, group["momentum"])
                parts = ahead.full_tensor().split(list(self._rows[id(weight)]))
                change = torch.cat([_scaled(orthogonalise(part[None])[0]) for part in parts])
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(part_of(weight, change), alpha=-group["lr"])


def _scaled(update: Tensor) -> Tensor:
    rows, columns = update.shape
    scale: float = max(1.0, rows / columns) ** 0.5
    return update.float() * scale


def part_of(weight: Tensor, whole: Tensor) -> Tensor:
    """This rank's part of a whole tensor that every rank has, where it has a weight's shape."""
    if not isinstance(weight, DTensor) or whole.shape != weight.shape:
        return whole
    mesh, placed = weight.device_mesh, weight.placements
    part: Tensor = distribute_tensor(whole.to(weight.device), mesh, placed, src_data_rank=None)
    return part
