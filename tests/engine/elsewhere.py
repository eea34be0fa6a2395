"""A device beside the processor, where there is none: it computes on the processor, and refuses
whatever a real one would.

Its tensors call themselves `meta`, carry numbers all the same, and cannot be read as numpy. An
operation that takes tensors from here and from there at once is an error, as on a CUDA device:
only single numbers, and indices of what is there, may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

THERE, HERE = torch.device("meta"), torch.device("cpu")
COPIES = ("aten::_to_copy", "aten::copy_")


class Away(Tensor):
    """A tensor on the other device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Away:
        away: Away = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=THERE,
        )
        away.held = held
        return away

    def tolist(self) -> Any:
        return self.held.tolist()  # as a real device's

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Away({self.held!r})"

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        return _computed(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):
    """What is made there, or copied from here, is computed there."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        return _computed(func, args, kwargs or {})


class Made(TorchFunctionMode):
    """What is made of Python numbers, which torch would give no numbers on a `meta` device."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        asked = dict(kwargs or {})
        if func not in (torch.tensor, Tensor.new_tensor):
            return func(*args, **asked)
        own = args[0].device if func is Tensor.new_tensor else HERE
        kind = {"dtype": args[0].dtype} if func is Tensor.new_tensor else {}
        device = torch.device(asked.pop("device", own))
        return torch.tensor(args[-1], **{**kind, **asked}).to(device)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Within the block there is the other device."""
    with Made(), Elsewhere():
        yield


def _computed(
    func: Callable[..., Any], args: Sequence[object], kwargs: Mapping[str, object]
) -> object:
    name = str(func._schema.name)  # type: ignore[attr-defined]
    given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    away = {id(one.held): one for one in given if isinstance(one, Away)}
    _refuse_mixed(name, given)
    wanted = kwargs.get("device")
    there = bool(away) if wanted is None else torch.device(str(wanted)) == THERE
    if name == "aten::copy_":
        there = isinstance(args[0], Away)
    if name == "aten::_local_scalar_dense":
        there = False
    plain_args, plain_kwargs = tree_map(_here, (args, kwargs))
    out = func(*plain_args, **plain_kwargs)
    if not there:
        return out
    return tree_map(lambda one: _there(one, away), out)


def _refuse_mixed(name: str, given: Sequence[Tensor]) -> None:
    here = [one for one in given if not isinstance(one, Away) and one.dim()]
    if not here or name in COPIES or not any(isinstance(one, Away) for one in given):
        return
    indices = name.startswith("aten::index") and isinstance(given[0], Away)
    if indices and not any(one.is_floating_point() for one in here):
        return
    raise RuntimeError(f"{name} takes tensors of two devices: {[one.shape for one in here]} here")


def _here(one: object) -> object:
    if isinstance(one, Away):
        return one.held
    return HERE if isinstance(one, torch.device) and one == THERE else one


def _there(one: object, away: Mapping[int, Away]) -> object:
    """What came out, on the other device; the very tensor that went in where it did."""
    if not isinstance(one, Tensor):
        return one
    return away[id(one)] if id(one) in away else Away(one)
