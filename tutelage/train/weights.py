"""What is trained: the backbone, its trainable weights, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadRow, BaseModelError
from tutelage.core.recipe import Quantisation, Train
from tutelage.engine.adamw8bit import AdamW8bit
from tutelage.engine.adapted import quantise
from tutelage.engine.adapter import LoraShape, attach_lora, save_lora, save_tuned
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.device import choose_precision
from tutelage.engine.lowrank import LowRank
from tutelage.engine.newrows import NewRows
from tutelage.engine.optimizer import AdamW, Muon, Sorted, sort_weights
from tutelage.engine.targets import matches
from tutelage.render.tokenizer import read_tokenizer
from tutelage.store.base import BaseFolder
from tutelage.store.run import Run
from tutelage.train.device import choose_device
from tutelage.train.group import Group
from tutelage.train.schedule import MUON_ADAM
from tutelage.train.start import find_start, start_lora, start_new_rows, start_whole

BETAS = (0.9, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A backbone whose trainable weights are chosen by the method."""

    backbone: Backbone
    base: str
    lora: LoraShape | None
    adapters: Mapping[str, LowRank]
    size: int  # weights of the base, a tied head counted once
    form: Quantisation | None = None  # in how few bits the base is kept
    group: Group = field(default_factory=Group)  # who trains it

    def trainable(self) -> dict[str, nn.Parameter]:
        """The weights that take gradients, by name."""
        named = self.backbone.module.named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def kept(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: weights that take gradients, and what they are counted from."""
        origins = {
            f"{path}.{name}": value
            for path, adapter in self.adapters.items()
            for name, value in adapter.named_buffers()
        }
        return {**self.trainable(), **origins}

    def state(self) -> dict[str, Tensor]:
        """Trainable weights in the precision they are trained in."""
        return {name: weight.detach() for name, weight in self.kept().items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for name, weight in self.kept().items():
            weight.copy_(state[name])

    def save(self, folder: Path) -> None:
        """The adapter as engines load it."""
        if self.lora is None:
            save_tuned(folder, self.backbone, base=self.base)
            return
        save_lora(folder, self.adapters, self.lora, base=self.base, backbone=self.backbone)

    def computed(self) -> dict[str, str]:
        """How steps are computed on this machine."""
        return {
            "backbone": self.backbone.kind,
            "precision": str(self.backbone.precision).removeprefix("torch."),
            "threads": str(torch.get_num_threads()),
            "base": self.form or "as published",
            "ranks": str(self.group.size),
            **self._parallel(),
        }

    def _parallel(self) -> dict[str, str]:
        if self.group.size == 1:
            return {}
        return {"parallel": "shard" if self.group.sharded else "replicate"}

    def parameters(self) -> int:
        """Weights of the base, a tied head counted once."""
        return self.size


def open_learner(section: Train, base: BaseFolder, run: Run) -> Learner:
    """The base on its backbone, made ready for the recipe's method.

    Under `qlora` the frozen matrices are kept in few bits, so that the adapter learns on top of
    what quantising changed; it is evaluated, served and released on the base as published.

    Raises: BaseModelError where weights are missing, a target or a frozen name is none of the
        base's, or an earlier adapter has another shape.
    """
    backbone = open_backbone(
        base,
        precision=choose_precision(section.precision, choose_device(section)),
        random_seed=run.seed("train.init") if section.init == "random" else None,
        frozen=section.method != "full",
    )
    backbone.module.eval()
    size = sum(value.numel() for value in backbone.export().values())
    started = find_start(section, base, run)
    if section.method == "full":
        if started is not None:
            start_whole(backbone, started)
        freeze(backbone, section.freeze)
        if base.new_tokens:
            check_new_rows(backbone)
        return Learner(backbone=backbone, base=base.name, lora=None, adapters={}, size=size)
    if section.base_form is not None:
        quantise(backbone.module, backbone.sites(), section.base_form)
    shape = shape_of(section)
    adapters = attach_lora(backbone, shape, seed=run.seed("train.lora"))
    if base.new_tokens:
        learn_new_rows(backbone, base, adapters)
    if started is not None:
        start_lora(adapters, shape, started)
        start_new_rows(backbone, started)
    for adapter in adapters.values():
        adapter.train()
    return Learner(
        backbone=backbone,
        base=base.name,
        lora=shape,
        adapters=adapters,
        size=size,
        form=section.base_form,
    )


def check_new_rows(backbone: Backbone) -> None:
    """Raises: BaseModelError where the rows of new tokens are frozen with their tables."""
    frozen = [path for path, table in backbone.tables.items() if not table.requires_grad]
    if frozen:
        raise BaseModelError(
            f"new tokens would stay as they begin: {', '.join(frozen)} is frozen",
            where="train.freeze",
            expected="embedding and head left to train, or no `train.new_tokens`",
        )


def learn_new_rows(backbone: Backbone, base: BaseFolder, adapters: Mapping[str, LowRank]) -> None:
    """Let the rows of new tokens take gradients, beside tables that do not.

    Raises: BaseModelError where an adapter changes those rows already.
    """
    if backbone.head_site.path in adapters:
        raise BaseModelError(
            "an adapter on the head and new tokens both change the head's new rows",
            where="train.lora.targets",
            expected="targets without the head, or no `train.new_tokens`",
            hint="`method: full` trains all of both",
        )
    first = min(read_tokenizer(base).pieces)
    backbone.new_rows = NewRows(lambda: backbone.tables, first, len(base.new_tokens))


def shape_of(section: Train) -> LoraShape:
    """The adapter's shape as the recipe has it."""
    lora = section.lora
    return LoraShape(
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        targets=None if lora.targets == "all" else lora.targets,
        rslora=lora.rslora,
        dora=lora.dora,
        init=lora.init,
    )


def freeze(backbone: Backbone, patterns: Sequence[str]) -> None:
    """Take the gradient from weights by the hub's names.

    Raises: BaseModelError with every pattern that names no weight, or only part of weights
        that are computed as one.
    """
    named: dict[int, list[str]] = {}
    for name, value in backbone.export().items():
        named.setdefault(value.untyped_storage().data_ptr(), []).append(name)
    every = [name for names in named.values() for name in names]
    rows = [
        BadRow(where=one, problem="names no weight")
        for one in patterns
        if not any(_frozen(name, [one]) for name in every)
    ]
    for weight in backbone.module.parameters():
        names = named.get(weight.untyped_storage().data_ptr(), [])
        chosen = [name for name in names if _frozen(name, patterns)]
        if chosen and len(chosen) < len(names):
            left = ", ".join(name for name in names if name not in chosen)
            rows.append(BadRow(where=chosen[0], problem=f"is computed as one with {left}"))
        weight.requires_grad_(not chosen)
    if rows:
        raise BaseModelError(
            "these weights cannot be frozen",
            where="train.freeze",
            expected=f"names such as {every[0]}, ends of names, or regular expressions for "
            "whole names; weights computed as one are frozen together",
            rows=rows,
        )
    if not any(weight.requires_grad for weight in backbone.module.parameters()):
        raise BaseModelError("every weight is frozen", where="train.freeze", expected="some left")


def _frozen(name: str, patterns: Sequence[str]) -> bool:
    plain = name.removesuffix(".weight")
    return any(
        name in (one, f"{one}.weight") or plain.endswith(f".{one}") or matches(one, name)
        for one in patterns
    )


def open_optimizers(
    section: Train, learner: Learner, rate: float
) -> list[tuple[torch.optim.Optimizer, float]]:
    """The update rules with their peak rates.

    Under LoRA+ the second matrices have a rate of their own. Source: arXiv 2402.12354.
    """
    weights = sort_weights(learner.backbone.module, learner.backbone.embeddings)
    sharded = learner.group.sharded
    if section.lora.plus is None or section.method == "full":
        return _rules(section, weights, rate, sharded=sharded)
    second = {id(adapter.b) for adapter in learner.adapters.values()}
    faster = tuple(one for one in weights.matrices if id(one.weight) in second)
    rest = tuple(one for one in weights.matrices if id(one.weight) not in second)
    return [
        *_rules(section, Sorted(matrices=rest, others=weights.others), rate, sharded=sharded),
        *_rules(
            section,
            Sorted(matrices=faster, others=()),
            rate * section.lora.plus,
            sharded=sharded,
        ),
    ]


def _rules(
    section: Train, weights: Sorted, rate: float, *, sharded: bool
) -> list[tuple[torch.optim.Optimizer, float]]:
    if section.optimizer == "muon":
        rules: list[tuple[torch.optim.Optimizer, float]] = []
        if weights.matrices:
            kind = _muon(sharded=sharded)
            decay = section.weight_decay
            rules.append((kind(weights.matrices, lr=rate, weight_decay=decay), rate))
        if weights.others:
            beside = MUON_ADAM * rate
            rules.append((_adamw(section, [(weights.others, 0.0)], beside), beside))
        return rules
    decayed = tuple(matrix.weight for matrix in weights.matrices)
    groups = [(decayed, section.weight_decay), (weights.others, 0.0)]
    return [(_adamw(section, groups, rate), rate)]


def _muon(*, sharded: bool) -> type[Muon]:
    if not sharded:
        return Muon

    from tutelage.train.shard import ShardedMuon

    return ShardedMuon


def _adamw(
    section: Train, groups: list[tuple[tuple[nn.Parameter, ...], float]], rate: float
) -> torch.optim.Optimizer:
    chosen = [{"params": list(w), "weight_decay": decay} for w, decay in groups if w]
    if section.optimizer == "adamw8bit":
        return AdamW8bit(chosen, lr=rate, betas=BETAS)
    return AdamW(chosen, lr=rate, betas=BETAS)
