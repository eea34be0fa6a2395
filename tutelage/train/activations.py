"""What is kept of the forward pass for the backward one: all, less, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch.utils.checkpoint import checkpoint

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.engine.backbone import Backbone
from tutelage.engine.flat import Block

HALVES = {"selective": ("after",), "full": ("before", "after")}


def checkpoint_layers(backbone: Backbone, kind: Literal["none", "full", "selective"]) -> None:
    """Keeps only the inputs of parts of each layer, which are computed again for their gradient.

    `selective`: of the half behind attention, where most is kept; `full`: of both halves.
    What attention keeps is never computed again.

    Raises: TrainingError for a backbone without such halves.
    """
    if kind == "none":
        return
    blocks = [part for part in backbone.module.modules() if isinstance(part, Block)]
    if not blocks:
        raise TrainingError(
            f"the {backbone.kind} backbone cannot compute its layers again",
            where="train.gradient_checkpointing",
            expected="none",
            hint="lower `train.rows_tokens` instead",
        )
    for block in blocks:
        for half in HALVES[kind]:
            object.__setattr__(block, half, _again(getattr(block, half)))


def offloaded(section: Train, device: torch.device) -> AbstractContextManager[object]:
    """For the forward pass of the block: what is kept waits in main memory, where asked for.

    Raises: TrainingError where the training has no other memory.
    """
    if not section.activation_offload:
        return nullcontext()
    if device.type == "cpu":
        raise TrainingError(
            "there is no device whose memory it would spare: training runs on the processor",
            where="train.activation_offload",
            expected="false",
            hint="`train.gradient_checkpointing: full` spares memory on any device",
        )
    return torch.autograd.graph.save_on_cpu(pin_memory=True)


def _again(half: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        if not torch.is_grad_enabled():
            return half(*given)
        return checkpoint(half, *given, use_reentrant=False)

    return run
