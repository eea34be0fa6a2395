"""Layers of transformers with an adapter beside them or with their matrix in few bits, and what
is done to every adapted layer of a backbone, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from tutelage.engine.frozen import frozen_linear
from tutelage.engine.head import AdaptedHead
from tutelage.engine.lowrank import LowRank
from tutelage.engine.newrows import NewRows
from tutelage.engine.projection import Projection, unmergeable
from tutelage.engine.quantised import Form, Stored, store
from tutelage.engine.site import Site


class Packed(nn.Module):
    """A linear layer whose matrix is kept in few bits."""

    def __init__(self, matrix: Tensor, bias: nn.Parameter | None, form: Form) -> None:
        super().__init__()
        self.stored = store(matrix, form)
        self.bias = bias

    def dense(self, precision: torch.dtype) -> Tensor:
        """The matrix `[out, in]` in a precision."""
        return self.stored.dense(precision)

    def forward(self, x: Tensor) -> Tensor:
        out = frozen_linear(x, self.dense)
        return out if self.bias is None else out + self.bias.to(out.dtype)


class Adapted(nn.Module):
    """A layer of transformers with an adapter beside it; the layer itself takes no gradient."""

    def __init__(self, base: nn.Module, adapter: LowRank) -> None:
        super().__init__()
        self.base = base
        self.adapter = adapter

    def dense(self, precision: torch.dtype) -> Tensor:
        """The layer's matrix `[out, in]` in a precision."""
        if isinstance(self.base, Packed):
            return self.base.dense(precision)
        return matrix_of(self.base).to(precision)

    def matrix(self) -> Tensor:
        """The layer's matrix `[out, in]` as it is kept, written out where it is in few bits."""
        return self.dense(torch.float32) if isinstance(self.base, Packed) else matrix_of(self.base)

    def forward(self, x: Tensor) -> Tensor:
        if self.adapter.plain:
            out = frozen_linear(x, self.dense, [self.adapter.change(0)])
        else:
            out = frozen_linear(x, self.dense)
            out = out + self.adapter(x.to(out.dtype), out, self.matrix)
        bias = self.base.bias
        return out + bias.to(out.dtype) if isinstance(bias, Tensor) else out


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An adapter where it sits, and how to see the matrix `[out, in]` it changes."""

    adapter: LowRank
    matrix: Callable[[], Tensor]


def seats(model: nn.Module) -> Iterator[Seat]:
    """Every adapter of a backbone's module."""
    for module in model.modules():
        if isinstance(module, Adapted | AdaptedHead):
            yield Seat(adapter=module.adapter, matrix=module.matrix)
        elif isinstance(module, Projection):
            for name, adapter in module.lowrank().items():
                yield Seat(adapter=adapter, matrix=partial(module.part_weight, name))


def matrix_of(layer: nn.Module) -> Tensor:
    """The matrix `[out, in]` of a linear layer; those of GPT-2 are stored input first."""
    weight = layer.get_parameter("weight").detach()
    return weight if isinstance(layer, nn.Linear) else weight.T


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Put every adapter's change into the weights of its layer and let go of it.

    A head that is tied to the embedding gets weights of its own.

    Raises: BaseModelError where the base is kept in few bits.
    """
    for path, module in list(model.named_modules()):
        if isinstance(module, Projection) and module.adapters:
            module.merge()
        if isinstance(module, AdaptedHead | NewRows):
            module.merge()
            _put(model, path, None)
        if not isinstance(module, Adapted):
            continue
        if isinstance(module.base, Packed):
            raise unmergeable()
        own = matrix_of(module.base)
        own.copy_(module.adapter.merged(own))
        _put(model, path, module.base)


def quantise(model: nn.Module, sites: Iterable[Site], form: Form) -> None:
    """Keep the matrix of every site in few bits; embeddings, norms and the head stay."""
    chosen = {site.path for site in sites}
    for path, module in list(model.named_modules()):
        if isinstance(module, Projection):
            module.quantise(form)
        elif path in chosen:
            _put(model, path, Packed(matrix_of(module), module.bias, form))


def stored_bytes(model: nn.Module) -> int:
    """Bytes of every matrix that is kept in few bits."""
    held = [module for module in model.modules() if isinstance(module, Stored)]
    return sum(x.numel() * x.element_size() for one in held for x in one.buffers())


def _put(model: nn.Module, path: str, layer: nn.Module | None) -> None:
    home, _, name = path.rpartition(".")
    setattr(model.get_submodule(home), name, layer)


def sizes_of(layer: nn.Module) -> tuple[int, int]:
    """Outputs and inputs of a linear layer."""
    if isinstance(layer, Adapted):
        return sizes_of(layer.base)
    if isinstance(layer, Packed):
        return layer.stored.rows, layer.stored.columns
    outputs, inputs = matrix_of(layer).shape
    return outputs, inputs
