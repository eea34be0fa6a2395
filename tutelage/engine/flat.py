"""The flat backbone: our own forward over a packed row's `[T, H]` tokens.

Covers the dense RMSNorm + RoPE + gated-MLP family (`architecture.FLAT_FAMILIES`);
weights are read from and written to the hub's names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from tutelage.engine.architecture import Architecture
from tutelage.engine.attention import Layout, attend
from tutelage.engine.flat_decoder import FlatDecoder
from tutelage.engine.gather import take
from tutelage.engine.lowrank import LowRank
from tutelage.engine.projection import Part, Projection
from tutelage.engine.site import Site


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Root-mean-square norm, the mean taken in fp32. Source: arXiv 1910.07467."""
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)
    return scaled.to(x.dtype) * weight.to(x.dtype)


def rotary_table(
    shape: Architecture, position: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines for each token, `[T, 1, D]`. Source: RoFormer, arXiv 2104.09864."""
    half = torch.arange(0, shape.head_width, 2, device=position.device, dtype=torch.float32)
    angle = position[:, None].float() * shape.rope_base ** (-half / shape.head_width)[None, :]
    angle = torch.cat([angle, angle], -1)[:, None, :]
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Block(nn.Module):
    """One decoder layer, cut in two around attention so that each half can be compiled."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        query, key = shape.heads * shape.head_width, shape.key_heads * shape.head_width
        self.input_norm = nn.Parameter(torch.ones(shape.hidden))
        self.post_norm = nn.Parameter(torch.ones(shape.hidden))
        self.qkv = Projection(
            shape.hidden,
            (
                Part(name="q_proj", rows=query),
                Part(name="k_proj", rows=key),
                Part(name="v_proj", rows=key),
            ),
            bias=shape.qkv_bias,
        )
        self.out = Projection(query, (Part(name="o_proj", rows=shape.hidden),))
        gate = (Part(name="gate_proj", rows=shape.inner), Part(name="up_proj", rows=shape.inner))
        self.gate_up = Projection(shape.hidden, gate)
        self.down = Projection(shape.inner, (Part(name="down_proj", rows=shape.hidden),))
        if shape.qk_norm:
            self.q_norm = nn.Parameter(torch.ones(shape.head_width))
            self.k_norm = nn.Parameter(torch.ones(shape.head_width))

    def before(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values with their positions, `[T, heads, D]` each."""
        shape = self.shape
        fused = self.qkv(rms_norm(x, self.input_norm, shape.norm_epsilon))
        fused = fused.view(len(x), shape.heads + 2 * shape.key_heads, shape.head_width)
        q, k, v = fused.split([shape.heads, shape.key_heads, shape.key_heads], 1)
        if shape.qk_norm:
            q = rms_norm(q, self.q_norm, shape.norm_epsilon)
            k = rms_norm(k, self.k_norm, shape.norm_epsilon)
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def compile_halves(self) -> None:
        """Fuse each half's elementwise work; every length runs on the same compiled code."""
        object.__setattr__(self, "before", torch.compile(self.before, dynamic=True))
        object.__setattr__(self, "after", torch.compile(self.after, dynamic=True))

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output from its input and what attention gathered."""
        x = x + self.out(attended.reshape(len(x), -1))
        gate, up = self.gate_up(rms_norm(x, self.post_norm, self.shape.norm_epsilon)).chunk(2, -1)
        out: Tensor = x + self.down(nn.functional.silu(gate) * up)
        return out


class FlatBackbone(nn.Module):
    """Packed row in, hidden states at the supervised sources out."""

    kind = "flat"
    transposed = False

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary, shape.hidden))
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden))
        self.untied = (
            None if shape.tied else nn.Parameter(torch.empty(shape.vocabulary, shape.hidden))
        )
        self.precision = torch.float32
        self.on_embeddings: Callable[[Tensor], Tensor] | None = None
        self.vocabulary = shape.vocabulary
        self.context = shape.context

    @property
    def blocks(self) -> list[Block]:
        """The layers, first to last."""
        return [block for block in self.layers if isinstance(block, Block)]

    @property
    def module(self) -> nn.Module:
        """Itself: it holds the weights."""
        return self

    @property
    def embeddings(self) -> tuple[nn.Parameter, ...]:
        """Input embedding and, where it is not tied, the head."""
        return (self.embedding,) if self.untied is None else (self.embedding, self.untied)

    @property
    def head(self) -> Tensor:
        """Output weights `[V, H]` in the compute precision."""
        weight = self.embedding if self.untied is None else self.untied
        return weight.to(self.precision)

    def forward(self, tokens: Tensor, position: Tensor, plan: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source`, ready for the head.

        Shapes: tokens `[T]`, position `[T]` depth in the tree, source `[S]` row indices.
        """
        x = nn.functional.embedding(tokens, self.embedding).to(self.precision)
        x = x if self.on_embeddings is None else self.on_embeddings(x)
        cos, sin = self.rotary(position)
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            q, k, v = block.before(x, cos, sin)
            gathered = attend(q, k, v, plan)
            if index == last:
                x, gathered = take(x, source), take(gathered, source)
            x = block.after(x, gathered)
        return self.last_norm(x)

    hidden = forward

    def compile(self) -> None:
        """Compile the layers: seconds once, for steps about twice as fast on a CPU."""
        for block in self.blocks:
            block.compile_halves()

    def rotary(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of each position, `[T, 1, D]`."""
        return rotary_table(self.shape, position, self.precision)

    def last_norm(self, x: Tensor) -> Tensor:
        """Hidden states ready for the head."""
        return rms_norm(x, self.norm, self.shape.norm_epsilon)

    def decoder(self) -> FlatDecoder:
        """A fresh decoder over the same weights."""
        return FlatDecoder(self)

    def sites(self) -> Iterator[Site]:
        """Every linear layer an adapter may sit on, the head left out."""
        for index, block in enumerate(self.blocks):
            for projection, home in _homes(block):
                for part in projection.parts:
                    path = f"model.layers.{index}.{home}.{part.name}"
                    inputs = projection.inputs
                    yield Site(path=path, name=part.name, inputs=inputs, outputs=part.rows)

    def attach(self, site: Site, adapter: LowRank) -> None:
        """Put an adapter on a layer."""
        block = self.blocks[int(site.path.split(".")[2])]
        for projection, _ in _homes(block):
            if any(part.name == site.name for part in projection.parts):
                projection.adapters[site.name] = adapter

    def export(self) -> dict[str, Tensor]:
        """Weights under the hub's names, as transformers saves them."""
        out: dict[str, Tensor] = {
            "model.embed_tokens.weight": self.embedding,
            "model.norm.weight": self.norm,
        }
        if self.untied is not None:
            out["lm_head.weight"] = self.untied
        for index, block in enumerate(self.blocks):
            out.update(_block_weights(block, f"model.layers.{index}"))
        return {name: value.detach() for name, value in out.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill every weight from the hub's names.

        Raises: KeyError for a weight that is missing, RuntimeError for one of another shape.
        """
        with torch.no_grad():
            for name, own in self.export().items():
                own.copy_(weights[name])


def _homes(block: Block) -> list[tuple[Projection, str]]:
    return [
        (block.qkv, "self_attn"),
        (block.out, "self_attn"),
        (block.gate_up, "mlp"),
        (block.down, "mlp"),
    ]


def _norms(block: Block) -> dict[str, Tensor]:
    norms: dict[str, Tensor] = {
        "input_layernorm.weight": block.input_norm,
        "post_attention_layernorm.weight": block.post_norm,
    }
    if block.shape.qk_norm:
        norms |= {"self_attn.q_norm.weight": block.q_norm, "self_attn.k_norm.weight": block.k_norm}
    return norms


def _block_weights(block: Block, prefix: str) -> dict[str, Tensor]:
    out = {f"{prefix}.{name}": value for name, value in _norms(block).items()}
    for projection, home in _homes(block):
        for name, value in projection.split().items():
            out[f"{prefix}.{home}.{name}"] = value
    return out
