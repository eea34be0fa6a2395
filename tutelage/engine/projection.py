"""Linear maps that may be fused from several hub weights and carry low-rank adapters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One hub weight inside a fused projection: its name and its output rows."""

    name: str
    rows: int


class LowRank(nn.Module):
    """The adapter of one part: `scale * B A x`, B starting at zero.

    Shapes: A `[r, in]`, B `[out, r]`. Source: LoRA, arXiv 2106.09685.
    """

    def __init__(
        self, *, inputs: int, outputs: int, rank: int, scale: float, dropout: float
    ) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = scale
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        if self.dropout and self.training:
            x = nn.functional.dropout(x, self.dropout)
        return ((x @ self.a.to(x.dtype).T) @ self.b.to(x.dtype).T) * self.scale


class Projection(nn.Module):
    """`x W^T + b`, W stacked from parts that share their input, plus each part's adapter.

    Weights are cast to the input's precision at use, so the same module serves fp32
    masters under training and stored bf16 at inference.
    """

    def __init__(self, inputs: int, parts: tuple[Part, ...], *, bias: bool = False) -> None:
        super().__init__()
        outputs = sum(part.rows for part in parts)
        self.parts = parts
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.adapters = nn.ModuleDict()

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        out = nn.functional.linear(x, self.weight.to(x.dtype), bias)
        if not self.adapters:
            return out
        return out + torch.cat([self._adapted(part, x) for part in self.parts], -1)

    def _adapted(self, part: Part, x: Tensor) -> Tensor:
        if part.name in self.adapters:
            adapted: Tensor = self.adapters[part.name](x)
            return adapted
        return x.new_zeros(*x.shape[:-1], part.rows)

    def split(self) -> Mapping[str, Tensor]:
        """The hub's own weights, by part name with `.weight` or `.bias`."""
        sizes = [part.rows for part in self.parts]
        named = dict(zip(self.parts, self.weight.split(sizes), strict=True))
        out = {f"{part.name}.weight": value for part, value in named.items()}
        if self.bias is not None:
            for part, value in zip(self.parts, self.bias.split(sizes), strict=True):
                out[f"{part.name}.bias"] = value
        return out


def initialise(model: nn.Module, *, seed: int, layers: int) -> None:
    """Draw every matrix from a normal of 0.02, those that write to the residual stream smaller
    by depth. Source: GPT-2's scheme.
    """
    draw = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            continue
        deep = ".out." in name or ".down." in name
        nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if deep else 0.02, generator=draw)
