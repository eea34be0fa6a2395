"""Parts of a model whose inputs alone are kept, and which are computed again for their gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Recomputed = Literal["selective", "full"]


def recompute(module: nn.Module, methods: Sequence[str]) -> None:
    """Has methods of a module keep nothing but what they are given. What they draw is drawn alike
    again.
    """
    for name in methods:
        object.__setattr__(module, name, _again(getattr(module, name)))


def _again(part: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return part(*given, **named)
        return checkpoint(part, *given, use_reentrant=False, **named)

    return run
