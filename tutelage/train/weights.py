"""What is trained: the backbone, its trainable weights, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from tutelage.core.recipe import Train
from tutelage.engine.adapter import LoraShape, attach_lora, save_lora, save_tuned
from tutelage.engine.backbone import Backbone, choose_precision, open_backbone
from tutelage.engine.optimizer import Muon, sort_weights
from tutelage.engine.projection import LowRank
from tutelage.store.base import BaseFolder
from tutelage.store.run import Run
from tutelage.train.group import Group
from tutelage.train.schedule import MUON_ADAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A backbone whose trainable weights are chosen by the method."""

    backbone: Backbone
    base: str
    lora: LoraShape | None
    adapters: Mapping[str, LowRank]
    group: Group = field(default_factory=Group)  # who trains it

    def trainable(self) -> dict[str, nn.Parameter]:
        """The weights that take gradients, by name."""
        named = self.backbone.module.named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def state(self) -> dict[str, Tensor]:
        """Trainable weights in the precision they are trained in."""
        return {name: weight.detach() for name, weight in self.trainable().items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name, weight in self.trainable().items():
            weight.copy_(state[name])

    def save(self, folder: Path) -> None:
        """The adapter as engines load it."""
        if self.lora is None:
            save_tuned(folder, self.backbone, base=self.base)
            return
        transposed = self.backbone.transposed
        save_lora(folder, self.adapters, self.lora, base=self.base, transposed=transposed)

    def computed(self) -> dict[str, str]:
        """How steps are computed on this machine."""
        return {
            "backbone": self.backbone.kind,
            "precision": str(self.backbone.precision).removeprefix("torch."),
            "threads": str(torch.get_num_threads()),
            "ranks": str(self.group.size),
            **self._parallel(),
        }

    def _parallel(self) -> dict[str, str]:
        if self.group.size == 1:
            return {}
        return {"parallel": "shard" if self.group.sharded else "replicate"}

    def parameters(self) -> int:
        """Weights of the base, a tied head counted once."""
        return sum(value.numel() for value in self.backbone.export().values())


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """So many CPU threads for the block; torch's own choice where none is named."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def open_learner(section: Train, base: BaseFolder, run: Run) -> Learner:
    """The base on its backbone, made ready for the recipe's method.

    Raises: BaseModelError where weights are missing or a target names no layer.
    """
    backbone = open_backbone(
        base,
        precision=choose_precision(section.precision),
        random_seed=run.seed("train.init") if section.init == "random" else None,
        frozen=section.method == "lora",
    )
    backbone.module.eval()
    if section.method == "full":
        return Learner(backbone=backbone, base=base.name, lora=None, adapters={})
    shape = LoraShape(
        rank=section.lora.rank,
        alpha=section.lora.alpha,
        dropout=section.lora.dropout,
        targets=None if section.lora.targets == "all" else section.lora.targets,
    )
    adapters = attach_lora(backbone, shape, seed=run.seed("train.lora"))
    for adapter in adapters.values():
        adapter.train()
    return Learner(backbone=backbone, base=base.name, lora=shape, adapters=adapters)


def open_optimizers(
    section: Train, learner: Learner, rate: float
) -> list[tuple[torch.optim.Optimizer, float]]:
    """The update rules with their peak rates."""
    sorted_weights = sort_weights(learner.backbone.module, learner.backbone.embeddings)
    if section.optimizer == "muon":
        kind = _muon(learner)
        matrices = kind(sorted_weights.matrices, lr=rate, weight_decay=section.weight_decay)
        if not sorted_weights.others:
            return [(matrices, rate)]
        beside = MUON_ADAM * rate
        return [(matrices, rate), (_adamw([(sorted_weights.others, 0.0)], beside), beside)]
    decayed = tuple(matrix.weight for matrix in sorted_weights.matrices)
    groups = [(decayed, section.weight_decay), (sorted_weights.others, 0.0)]
    return [(_adamw(groups, rate), rate)]


def _muon(learner: Learner) -> type[Muon]:
    if not learner.group.sharded:
        return Muon

    from tutelage.train.shard import ShardedMuon

    return ShardedMuon


def _adamw(groups: list[tuple[tuple[nn.Parameter, ...], float]], rate: float) -> torch.optim.AdamW:
    chosen = [{"params": list(w), "weight_decay": decay} for w, decay in groups if w]
    return torch.optim.AdamW(chosen, lr=rate, betas=(0.9, 0.95), fused=True)
