"""Optimizers over a model's weights: AdamW, and Muon for the matrices.

Source: AdamW, arXiv 1711.05101; Muon, Jordan et al. 2024 (momentum orthogonalised by a
quintic Newton-Schulz iteration), with decoupled weight decay as in arXiv 2502.16982.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tutelage.engine.newrows import NewRows
from tutelage.engine.projection import Projection

COMPILER_MARK = "__dynamo_disable"  # of a method torch has told its compiler to leave alone
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A weight Muon updates, with the row counts of the hub weights fused in it."""

    weight: nn.Parameter
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A model's trainable weights by the optimizer that suits them."""

    matrices: tuple[Matrix, ...]
    others: tuple[nn.Parameter, ...]


def sort_weights(model: nn.Module, embeddings: Iterable[nn.Parameter]) -> Sorted:
    """Hidden matrices apart from embeddings, heads, norms and biases, which Muon does not suit."""
    new = (module for module in model.modules() if isinstance(module, NewRows))
    apart = {id(weight) for weight in (*embeddings, *(x for one in new for x in one.changes))}
    fused = {
        id(module.weight): tuple(part.rows for part in module.parts)
        for module in model.modules()
        if isinstance(module, Projection)
    }
    matrices, others = [], []
    for weight in model.parameters():
        if not weight.requires_grad:
            continue
        if weight.dim() == 2 and id(weight) not in apart:
            rows = fused.get(id(weight), (weight.shape[0],))
            matrices.append(Matrix(weight=weight, rows=rows))
        else:
            others.append(weight)
    return Sorted(matrices=tuple(matrices), others=tuple(others))


def orthogonalise(stack: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values land in about 0.7-1.2.

    Shapes: stack `[N, R, C]`; computed in bf16.
    """
    a, b, c = COEFFICIENTS
    x = stack.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    out: Tensor = x.mT if tall else x
    return out


@contextmanager
def compiler_spared() -> Iterator[None]:
    """A block in which optimizers do not import torch's compiler, only to tell it that they are
    not for it.

    That import takes two seconds and 70 MiB of every start. Where torch does not go by the mark
    it only imports as it would. The marks are gone after the block.
    """
    methods = [getattr(one, "__wrapped__", None) for one in vars(torch.optim.Optimizer).values()]
    marked = [one for one in methods if one is not None and not hasattr(one, COMPILER_MARK)]
    for plain in marked:
        setattr(plain, COMPILER_MARK, plain)
    try:
        yield
    finally:
        for plain in marked:
            delattr(plain, COMPILER_MARK)


class AdamW(torch.optim.Optimizer):
    """torch's kernel over each group, without what else its step of that name goes through.

    That imports torch's compiler in its first step. What it keeps is laid out as torch's own:
    that it is `fused` has a state that was read on the CPU go to where the weights are.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "fused": True})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave, of a version too that did not say `fused`."""
        groups = [{**group, "fused": True} for group in state_dict["param_groups"]]
        super().load_state_dict({**state_dict, "param_groups": groups})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            states = [self._state(weight) for weight in weights]
            adamw(
                weights,
                [weight.grad for weight in weights],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )

    def _state(self, weight: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        return state


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, one hub weight at a time."""

    def __init__(
        self,
        matrices: Sequence[Matrix],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([matrix.weight for matrix in matrices], defaults)
        self._rows = {id(matrix.weight): matrix.rows for matrix in matrices}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            waiting: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                ahead = self._ahead(weight, group["momentum"])
                rows = list(self._rows[id(weight)])
                for part, push in zip(weight.split(rows), ahead.split(rows), strict=True):
                    waiting[part.shape].append((part, push))
            for shape, pairs in waiting.items():
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                update = orthogonalise(torch.stack([push for _, push in pairs]))
                for (part, _), change in zip(pairs, update.float(), strict=True):
                    part.mul_(1 - group["lr"] * group["weight_decay"]).add_(change, alpha=-scale)

    def _ahead(self, weight: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(weight)
        velocity: Tensor = state["velocity"]
        velocity.lerp_(weight.grad, 1 - momentum)  # type: ignore[arg-type]
        return torch.lerp(weight.grad, velocity, momentum)  # type: ignore[arg-type]
