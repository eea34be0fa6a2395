"""Models of random weights and rows of random ids, made on the device; `gpu.py` measures them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from training import COMMON, SHAPES

from tutelage.engine.adapted import quantise
from tutelage.engine.adapter import LoraShape, attach_lora
from tutelage.engine.backbone import Backbone, settle
from tutelage.engine.families import read_architecture
from tutelage.engine.flat import FlatBackbone
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack

LORA = LoraShape(rank=16, alpha=32.0, dropout=0.0, targets=None)
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "mlp_bias": False}
CONFIGS: dict[str, dict[str, Any]] = {
    **{
        name: {**COMMON, **shape, "max_position_embeddings": 1 << 16}
        for name, shape in SHAPES.items()
    },
    "8b": {  # the sizes of Llama 3.1 8B
        **COMMON,
        **LLAMA,
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
    },
    "smoke": {
        **COMMON,
        **LLAMA,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 300,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where it is measured, and whether it is a try without meaning."""

    device: torch.device
    smoke: bool

    def config(self, shape: str) -> dict[str, Any]:
        return CONFIGS["smoke" if self.smoke else shape]

    @property
    def rounds(self) -> int:
        return 2 if self.smoke else 10

    def tokens(self, count: int) -> int:
        return count // 16 if self.smoke else count

    def wait(self) -> None:
        """Returns when the device has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began


@contextmanager
def made_on(device: torch.device, kind: torch.dtype) -> Iterator[None]:
    """Tensors of the block are made there, of that precision where they name none."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def open_model(setting: Setting, config: dict[str, Any], method: str) -> Backbone:
    """The shape on the flat backbone, with random weights and what the method puts on them."""
    shape = read_architecture(config)
    if shape is None:
        raise ValueError("the flat backbone does not compute this shape")
    with made_on(setting.device, torch.float32 if method == "full" else torch.bfloat16):
        model = FlatBackbone(shape)
        for weight in model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.02)
    model.precision = torch.bfloat16
    if method != "full":
        model.requires_grad_(False)
        if method == "qlora":
            quantise(model, model.sites(), "nf4")
        attach_lora(model, LORA, seed=0)
    settle(model, setting.device)
    return model.eval()


def lessons(count: int, length: int, vocabulary: int, *, shared: int = 0) -> list[Lesson]:
    """Lessons of one length, the second half of each taught; the first `shared` tokens the same."""
    draw = np.random.default_rng(0)
    common = draw.integers(5, vocabulary, shared)
    found = []
    for number in range(count):
        ids = np.concatenate([common, draw.integers(5, vocabulary, length - shared)]).tolist()
        half = max(length // 2, shared)
        found.append(
            Lesson(prompt=tuple(ids[:half]), completion=tuple(ids[half:]), row=f"row{number}")
        )
    return found


def packed(some: list[Lesson], capacity: int, *, share: bool = False) -> list[PackedRow]:
    """Full rows of lessons, all of one size."""
    return list(pack(some, capacity, np.random.default_rng(0), share=share))
