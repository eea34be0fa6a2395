"""Rotary position embeddings: by which angles a layer turns its queries and keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from tutelage.engine.elementwise import turned

FULL, SLIDING = "full_attention", "sliding_attention"  # kinds of layers
PLAIN, SCALED = "default", ("linear", "llama3")
Turn = tuple[Tensor, Tensor]  # cosines and sines `[T, 1, W]`


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How frequencies are stretched for a context longer than the first training's.

    `linear` divides all of them; `llama3` those whose wave is long beside the first context,
    passing smoothly from one to the other.
    """

    kind: Literal["linear", "llama3"]
    factor: float
    low: float = 1.0  # waves of the first context over this are divided whole
    high: float = 4.0  # those under the first context over this not at all
    context: int = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Frequencies of one kind of layer. Source: RoFormer, arXiv 2104.09864."""

    base: float
    width: int  # features of a head that turn; those after them pass as they are
    scaling: Scaling | None = None

    def frequencies(self, device: torch.device) -> Tensor:
        """Radians a position, `[W / 2]`."""
        step = torch.arange(0, self.width, 2, device=device, dtype=torch.float32) / self.width
        plain = 1.0 / self.base**step
        if self.scaling is None:
            return plain
        if self.scaling.kind == "linear":
            return plain / self.scaling.factor
        return _llama3(plain, self.scaling)

    def turn(self, position: Tensor, dtype: torch.dtype) -> Turn:
        """Cosines and sines of each position. Shapes: position `[T]`; returns `[T, 1, W]`."""
        angle = position[:, None].float() * self.frequencies(position.device)[None, :]
        angle = torch.cat([angle, angle], -1)[:, None, :]
        return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Heads turned by the angles of their positions. Shapes: x `[T, heads, D]`, W <= D."""
    cos, sin = turn
    width = cos.shape[-1]
    if width < x.shape[-1]:
        return torch.cat([rotate(x[..., :width], turn), x[..., width:]], -1)
    return turned(x, cos, sin)


def _llama3(plain: Tensor, scaling: Scaling) -> Tensor:
    waves = scaling.context * plain / (2 * math.pi)  # of the first context
    kept = ((waves - scaling.low) / (scaling.high - scaling.low)).clamp(0.0, 1.0)
    return (1 - kept) * plain / scaling.factor + kept * plain


def read_rope(config: Mapping[str, Any], head_width: int, kind: str = FULL) -> Rope:
    """The rotary embedding a hub configuration gives a kind of layer."""
    said = _said(config, kind)
    local = config.get("rope_local_base_freq") if kind == SLIDING else None
    base = float(said.get("rope_theta") or local or config.get("rope_theta") or 10000.0)
    width = int(head_width * _share(config, said))
    if _sort(said) == PLAIN:
        return Rope(base=base, width=width)
    first = said.get("original_max_position_embeddings") or config["max_position_embeddings"]
    scaling = Scaling(
        kind=said.get("rope_type") or said["type"],
        factor=float(said["factor"]),
        low=float(said.get("low_freq_factor", 1.0)),
        high=float(said.get("high_freq_factor", 4.0)),
        context=int(first),
    )
    return Rope(base=base, width=width, scaling=scaling)


def rope_cause(config: Mapping[str, Any], *, partial: bool) -> str | None:
    """The rotary key that is not computed here; `partial` says that heads may turn in part."""
    for kind in (FULL, SLIDING):
        said = _said(config, kind)
        if _sort(said) not in (PLAIN, *SCALED):
            return f"rope_type: {_sort(said)}"
        if not partial and _share(config, said) != 1.0:
            return f"partial_rotary_factor: {_share(config, said)}"
    return None


def _said(config: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """What a configuration says of one kind of layer.

    New ones say it in `rope_parameters`, by kind where kinds differ; older ones beside it,
    layers with a base of their own left as they are.
    """
    said: Mapping[str, Any] = config.get("rope_parameters") or {}
    if FULL in said or SLIDING in said:
        return said.get(kind) or {}
    if said or (kind == SLIDING and "rope_local_base_freq" in config):
        return said
    return config.get("rope_scaling") or {}


def _sort(said: Mapping[str, Any]) -> str:
    return str(said.get("rope_type", said.get("type", PLAIN)))


def _share(config: Mapping[str, Any], said: Mapping[str, Any]) -> float:
    return float(said.get("partial_rotary_factor", config.get("partial_rotary_factor")) or 1.0)
