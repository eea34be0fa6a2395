"""Where a model is computed, and in which precision there."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch

from tutelage.core.recipe import Precision

CPU = torch.device("cpu")
CAPABLE = 8  # of a CUDA device that multiplies bf16 and has varlen's kernel: Ampere and later
TRITON = 7  # of one that Triton compiles for: Volta and later


def best_device() -> torch.device:
    """A CUDA device where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(wanted: Precision, device: torch.device = CPU) -> torch.dtype:
    """bf16 where the device multiplies it, else fp32; by capability, so that it repeats."""
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bf16" else torch.float32
    fast = capable(device) if device.type == "cuda" else _processor_is_fast()
    return torch.bfloat16 if fast else torch.float32


@cache
def capable(device: torch.device) -> bool:
    """Whether a CUDA device has units for bf16."""
    return torch.cuda.get_device_capability(device)[0] >= CAPABLE


@cache
def has_kernels(device: torch.device) -> bool:
    """Whether torch can make kernels for a CUDA device: Triton is there and knows it."""
    there = device.type == "cuda" and torch.cuda.is_available() and find_spec("triton") is not None
    return there and torch.cuda.get_device_capability(device)[0] >= TRITON


def _processor_is_fast() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )
