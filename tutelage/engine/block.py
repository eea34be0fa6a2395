"""One layer of the flat backbone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tutelage.engine.architecture import Architecture, Layer
from tutelage.engine.attention import Layout, attend
from tutelage.engine.elementwise import gated, rms_norm
from tutelage.engine.projection import Part, Projection
from tutelage.engine.rope import Turn, rotate


class Block(nn.Module):
    """One decoder layer, cut in two around attention so that each half can be compiled.

    What passes from layer to layer is fp32, as under autocast; products are in `precision`.
    """

    precision = torch.float32

    def __init__(self, shape: Architecture, layer: Layer) -> None:
        super().__init__()
        self.shape = shape
        self.layer = layer
        self.input_norm = norm_weight(shape, shape.hidden)
        self.post_norm = norm_weight(shape, shape.hidden)
        query, key = shape.heads * shape.head_width, shape.key_heads * shape.head_width
        qkv = {"q_proj": query, "k_proj": key, "v_proj": key}
        gate_up = {"gate_proj": shape.inner, "up_proj": shape.inner}
        if shape.fused:
            qkv, gate_up = {"qkv_proj": query + 2 * key}, {"gate_up_proj": 2 * shape.inner}
        self.qkv = Projection(shape.hidden, _parts(qkv), bias=shape.qkv_bias)
        self.out = Projection(query, _parts({"o_proj": shape.hidden}))
        self.gate_up = Projection(shape.hidden, _parts(gate_up))
        self.down = Projection(shape.inner, _parts({"down_proj": shape.hidden}))
        if shape.qk_norm:
            self.q_norm = norm_weight(shape, shape.head_width)
            self.k_norm = norm_weight(shape, shape.head_width)
        if shape.sandwiched:
            self.attended_norm = norm_weight(shape, shape.hidden)
            self.fed_norm = norm_weight(shape, shape.hidden)

    def before(self, x: Tensor, turn: Turn | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values with their positions, `[T, heads, D]` each."""
        shape = self.shape
        fused = self.qkv(self._normed(x, self.input_norm))
        fused = fused.view(len(x), shape.heads + 2 * shape.key_heads, shape.head_width)
        q, k, v = fused.split([shape.heads, shape.key_heads, shape.key_heads], 1)
        if shape.qk_norm:
            q, k = self._normed(q, self.q_norm), self._normed(k, self.k_norm)
        if turn is None:
            return q, k, v
        return rotate(q, turn), rotate(k, turn), v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Tensor:
        """What each token gathers, `[T, heads, D]`."""
        shape, seen = self.shape, layout.within(self.layer.window)
        return attend(q, k, v, seen, scale=shape.score_scale, cap=shape.score_cap)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output from its input and what attention gathered."""
        shape = self.shape
        gathered = self.out(attended.reshape(len(x), -1))
        x = x + (self._normed(gathered, self.attended_norm) if shape.sandwiched else gathered)
        wide = self.gate_up(self._normed(x, self.post_norm))
        fed = self.down(gated(wide, shape.activation))
        return x + (self._normed(fed, self.fed_norm) if shape.sandwiched else fed)

    def compile_halves(self) -> None:
        """Fuse each half's elementwise work; every length runs on the same compiled code."""
        object.__setattr__(self, "before", torch.compile(self.before, dynamic=True))
        object.__setattr__(self, "after", torch.compile(self.after, dynamic=True))

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        shape = self.shape
        return rms_norm(x, weight, shape.norm_epsilon, shape.norm_offset, self.precision)


def homes(block: Block) -> list[tuple[Projection, str]]:
    """Its projections, and the module of the hub each is part of."""
    return [
        (block.qkv, "self_attn"),
        (block.out, "self_attn"),
        (block.gate_up, "mlp"),
        (block.down, "mlp"),
    ]


def norm_weight(shape: Architecture, width: int) -> nn.Parameter:
    """The weights of a norm that changes no length."""
    return nn.Parameter(torch.full((width,), 1.0 - shape.norm_offset))


def _parts(rows: Mapping[str, int]) -> tuple[Part, ...]:
    return tuple(Part(name=name, rows=count) for name, count in rows.items())


def _norms(block: Block) -> dict[str, Tensor]:
    norms: dict[str, Tensor] = {"input_layernorm.weight": block.input_norm}
    if block.shape.sandwiched:
        norms |= {
            "post_attention_layernorm.weight": block.attended_norm,
            "pre_feedforward_layernorm.weight": block.post_norm,
            "post_feedforward_layernorm.weight": block.fed_norm,
        }
    else:
        norms["post_attention_layernorm.weight"] = block.post_norm
    if block.shape.qk_norm:
        norms |= {"self_attn.q_norm.weight": block.q_norm, "self_attn.k_norm.weight": block.k_norm}
    return norms


def hub_weights(block: Block, prefix: str) -> dict[str, Tensor]:
    """Its weights under the hub's names."""
    out = {f"{prefix}.{name}": value for name, value in _norms(block).items()}
    for projection, home in homes(block):
        for name, value in projection.split().items():
            out[f"{prefix}.{home}.{name}"] = value
    return out
