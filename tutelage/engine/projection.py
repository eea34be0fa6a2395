"""Linear maps that may be fused from several hub weights and carry low-rank adapters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor, nn

from tutelage.core.errors import BaseModelError
from tutelage.engine.frozen import frozen_linear
from tutelage.engine.lowrank import LowRank
from tutelage.engine.quantised import Form, Stored, store


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One hub weight inside a fused projection: its name and its output rows."""

    name: str
    rows: int


class Projection(nn.Module):
    """`x W^T + b`, W stacked from parts that share their input, plus each part's adapter.

    Weights are cast to the input's precision at use, so the same module serves fp32
    masters under training and stored bf16 at inference. Under an adapter W takes no gradient;
    it may then be stored in few bits.
    """

    def __init__(self, inputs: int, parts: tuple[Part, ...], *, bias: bool = False) -> None:
        super().__init__()
        outputs = sum(part.rows for part in parts)
        self.parts = parts
        self.inputs = inputs
        ends = list(accumulate(part.rows for part in parts))
        self.rows = {
            part.name: slice(end - part.rows, end) for part, end in zip(parts, ends, strict=True)
        }
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.stored = nn.ModuleList()
        self.adapters = nn.ModuleDict()

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if not self.adapters and not self.stored:
            return nn.functional.linear(x, self.weight.to(x.dtype), bias)
        if torch.compiler.is_compiling():  # the compiler fuses what is written out
            out = nn.functional.linear(x, self.dense(x.dtype))
            out = out + self._changed(x, out)
            return out if bias is None else out + bias
        adapters = self.lowrank()
        if all(adapter.plain for adapter in adapters.values()):
            changes = [adapter.change(self.rows[name].start) for name, adapter in adapters.items()]
            out = frozen_linear(x, self.dense, changes)
        else:
            out = frozen_linear(x, self.dense)
            out = out + self._changed(x, out)
        return out if bias is None else out + bias

    def dense(self, precision: torch.dtype) -> Tensor:
        """W in a precision, written out where it is stored in few bits."""
        if not self.stored:
            return self.weight.to(precision)
        parts = [one.dense(precision) for one in self.stored if isinstance(one, Stored)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def part_weight(self, name: str) -> Tensor:
        """One hub weight's rows of W, without gradient."""
        for part, stored in zip(self.parts, self.stored, strict=False):
            if part.name == name and isinstance(stored, Stored):
                return stored.dense(torch.float32)
        return self.weight.detach()[self.rows[name]]

    def quantise(self, form: Form) -> None:
        """Keep W in few bits from now on, each hub weight by itself."""
        self.stored.extend(store(self.part_weight(part.name), form) for part in self.parts)
        self.register_parameter("weight", None)

    @torch.no_grad()
    def merge(self) -> None:
        """Put each adapter's change into W and let go of it.

        Raises: BaseModelError where W is stored in few bits.
        """
        if self.stored:
            raise unmergeable()
        for name, adapter in self.lowrank().items():
            own = self.part_weight(name)
            own.copy_(adapter.merged(own))
        self.adapters.clear()

    def lowrank(self) -> dict[str, LowRank]:
        """The adapters, by part name in the parts' order."""
        found = ((part.name, self.adapters) for part in self.parts)
        named = {name: held[name] for name, held in found if name in held}
        return {name: one for name, one in named.items() if isinstance(one, LowRank)}

    def _changed(self, x: Tensor, out: Tensor) -> Tensor:
        changes = []
        for name, rows in self.rows.items():
            own = out[..., rows]
            if name in self.adapters:
                changes.append(self.adapters[name](x, own, partial(self.part_weight, name)))
            else:
                changes.append(torch.zeros_like(own))
        return torch.cat(changes, -1)

    def split(self) -> Mapping[str, Tensor]:
        """The hub's own weights, by part name with `.weight` or `.bias`."""
        sizes = [part.rows for part in self.parts]
        whole = self.dense(torch.float32) if self.stored else self.weight
        named = dict(zip(self.parts, whole.split(sizes), strict=True))
        out = {f"{part.name}.weight": value for part, value in named.items()}
        if self.bias is not None:
            for part, value in zip(self.parts, self.bias.split(sizes), strict=True):
                out[f"{part.name}.bias"] = value
        return out


def unmergeable() -> BaseModelError:
    """A matrix in few bits cannot hold what an adapter adds to it."""
    return BaseModelError(
        "a quantised base takes no adapter into its weights",
        expected="the base as it is published",
    )


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
