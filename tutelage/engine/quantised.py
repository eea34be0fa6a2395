"""Frozen matrices kept in four or eight bits and written out in the compute precision at use.

Source: QLoRA, arXiv 2305.14314 (NF4 in blocks of 64 with scales quantised again); LLM.int8(),
arXiv 2208.07339 (the greatest magnitude of each row). Each hub matrix is quantised by itself,
as transformers does with bitsandbytes, so that both hold the same numbers. Embeddings, norms,
biases and the head stay as they are.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor, nn

from tutelage.core.errors import BaseModelError

Form = Literal["nf4", "int8"]
BLOCK, SCALES_BLOCK = 64, 256


class Stored(nn.Module, ABC):
    """A matrix in few bits."""

    rows: int
    columns: int

    @abstractmethod
    def dense(self, precision: torch.dtype) -> Tensor:
        """The matrix `[rows, columns]` as it is computed with."""


class Nf4(Stored):
    """Four bits a weight, and half a byte more for each sixteen."""

    codes: Tensor
    scales: Tensor
    scale_scales: Tensor
    scale_codes: Tensor
    offset: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.rows, self.columns = weight.shape
        codes, state = open_bitsandbytes().quantize_4bit(
            weight.contiguous(), blocksize=BLOCK, compress_statistics=True, quant_type="nf4"
        )
        self.register_buffer("codes", codes)
        self.register_buffer("scales", state.absmax)
        self.register_buffer("scale_scales", state.state2.absmax)
        self.register_buffer("scale_codes", state.state2.code)
        self.register_buffer("offset", state.offset)

    def dense(self, precision: torch.dtype) -> Tensor:
        """The matrix `[rows, columns]` as it is computed with."""
        ops = torch.ops.bitsandbytes
        scales = ops.dequantize_blockwise(
            self.scales, self.scale_scales, self.scale_codes, SCALES_BLOCK, torch.float32
        )
        shape = [self.rows, self.columns]
        out: Tensor = ops.dequantize_4bit(
            self.codes, scales + self.offset, BLOCK, "nf4", shape, precision
        )
        return out


class Int8(Stored):
    """Eight bits a weight and a scale a row."""

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.rows, self.columns = weight.shape
        codes, greatest, _ = open_bitsandbytes().int8_vectorwise_quant(weight.half().contiguous())
        self.register_buffer("codes", codes)
        self.register_buffer("scales", greatest / 127)

    def dense(self, precision: torch.dtype) -> Tensor:
        """The matrix `[rows, columns]` as it is computed with."""
        return (self.codes * self.scales[:, None]).to(precision)


def store(weight: Tensor, form: Form) -> Stored:
    """A matrix `[out, in]` in few bits."""
    with torch.no_grad():
        return Nf4(weight) if form == "nf4" else Int8(weight)


def open_bitsandbytes() -> ModuleType:
    """The functions of bitsandbytes.

    Raises: BaseModelError where it is not installed.
    """
    # it says at import which optional kernels it did not find
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        from bitsandbytes import functional
    except ImportError as error:
        raise BaseModelError(
            "a quantised base needs bitsandbytes, which is not installed",
            where="train.method",
            hint="pip install tutelage[qlora]",
        ) from error
    module: ModuleType = functional
    return module
