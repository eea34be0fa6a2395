"""Where what is kept of the forward pass waits for the backward one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train


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
