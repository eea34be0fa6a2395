"""The flat backbone: our own forward over a packed row's `[T, H]` tokens.

Covers the dense decoders of `families.FAMILIES`; weights are read from and written to the hub's
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from tutelage.engine.architecture import Architecture, Layer
from tutelage.engine.attention import Layout, attend
from tutelage.engine.flat_decoder import FlatDecoder
from tutelage.engine.gather import take
from tutelage.engine.head import AdaptedHead
from tutelage.engine.lowrank import Beside, LowRank
from tutelage.engine.newrows import NewRows, larger
from tutelage.engine.projection import Part, Projection
from tutelage.engine.rope import Rope, Turn, rotate
from tutelage.engine.site import Site


def rms_norm(x: Tensor, weight: Tensor, shape: Architecture, precision: torch.dtype) -> Tensor:
    """Root-mean-square norm in fp32, rounded once. Source: arXiv 1910.07467."""
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + shape.norm_epsilon)
    return (scaled * (weight.float() + shape.norm_offset)).to(precision)


class Block(nn.Module):
    """One decoder layer, cut in two around attention so that each half can be compiled.

    What passes from layer to layer is fp32, as under autocast; products are in `precision`.
    """

    precision = torch.float32

    def __init__(self, shape: Architecture, layer: Layer) -> None:
        super().__init__()
        self.shape = shape
        self.layer = layer
        self.input_norm = _norm(shape, shape.hidden)
        self.post_norm = _norm(shape, shape.hidden)
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
            self.q_norm = _norm(shape, shape.head_width)
            self.k_norm = _norm(shape, shape.head_width)
        if shape.sandwiched:
            self.attended_norm = _norm(shape, shape.hidden)
            self.fed_norm = _norm(shape, shape.hidden)

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

    def attend(self, q: Tensor, k: Tensor, v: Tensor, plan: Layout) -> Tensor:
        """What each token gathers, `[T, heads, D]`."""
        shape, seen = self.shape, plan.within(self.layer.window)
        return attend(q, k, v, seen, scale=shape.score_scale, cap=shape.score_cap)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output from its input and what attention gathered."""
        shape = self.shape
        gathered = self.out(attended.reshape(len(x), -1))
        x = x + (self._normed(gathered, self.attended_norm) if shape.sandwiched else gathered)
        gate, up = self.gate_up(self._normed(x, self.post_norm)).chunk(2, -1)
        if shape.activation == "silu":
            fed = self.down(nn.functional.silu(gate) * up)
        else:
            fed = self.down(nn.functional.gelu(gate, approximate="tanh") * up)
        return x + (self._normed(fed, self.fed_norm) if shape.sandwiched else fed)

    def compile_halves(self) -> None:
        """Fuse each half's elementwise work; every length runs on the same compiled code."""
        object.__setattr__(self, "before", torch.compile(self.before, dynamic=True))
        object.__setattr__(self, "after", torch.compile(self.after, dynamic=True))

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return rms_norm(x, weight, self.shape, self.precision)


class FlatBackbone(nn.Module):
    """Packed row in, hidden states at the supervised sources out."""

    kind = "flat"
    transposed = False
    alone: str | None = None

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary, shape.hidden))
        self.layers = nn.ModuleList(Block(shape, layer) for layer in shape.attention)
        self.norm = _norm(shape, shape.hidden)
        self.untied = None if shape.tied else nn.Parameter(torch.empty_like(self.embedding))
        self.head_adapter: AdaptedHead | None = None
        self.new_rows: NewRows | None = None
        self.precision = torch.float32
        self.on_embeddings: Callable[[Tensor], Tensor] | None = None
        self.vocabulary = shape.vocabulary
        self.context = shape.context
        self.family = shape.family
        self.logit_cap = shape.logit_cap

    @property
    def precision(self) -> torch.dtype:
        """What matrices are multiplied in."""
        return self._precision

    @precision.setter
    def precision(self, wanted: torch.dtype) -> None:
        self._precision = wanted
        for block in self.blocks:
            block.precision = wanted

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
        """Output weights `[V, H]` in the compute precision, without what an adapter adds."""
        return self.embeddings[-1].to(self.precision)

    def beside_head(self, hidden: Tensor) -> Beside | None:
        """What an adapter on the head, or new rows, add to the logits of hidden states `[S, H]`."""
        trained = self.head_adapter or self.new_rows
        return None if trained is None else trained.beside(hidden)

    @property
    def tables(self) -> dict[str, nn.Parameter]:
        """Weights that have a row a token, by path: the embedding, and an untied head."""
        return dict(zip(("model.embed_tokens", "lm_head"), self.embeddings, strict=False))

    def resize(self, rows: int) -> None:
        """Makes room in the tables for more tokens; the new rows are zero."""
        self.embedding = larger(self.embedding, rows)
        self.untied = None if self.untied is None else larger(self.untied, rows)
        self.vocabulary = rows

    @property
    def head_site(self) -> Site:
        """The head, where an adapter may sit too."""
        outputs, inputs = self.embedding.shape
        return Site(path="lm_head", name="lm_head", inputs=inputs, outputs=outputs)

    def forward(self, tokens: Tensor, position: Tensor, plan: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source`, ready for the head.

        Shapes: tokens `[T]`, position `[T]` depth in the tree, source `[S]` row indices.
        """
        x, turns = self.embed(tokens), self.turns(position)
        x = x if self.on_embeddings is None else self.on_embeddings(x)
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            gathered = block.attend(*block.before(x, turns[block.layer.rope]), plan)
            if index == last:
                x, gathered = take(x, source), take(gathered, source)
            x = block.after(x, gathered)
        return self.last_norm(x)

    hidden = forward

    def compile(self) -> None:
        """Compile the layers: seconds once, for steps about twice as fast on a CPU."""
        for block in self.blocks:
            block.compile_halves()

    def embed(self, tokens: Tensor) -> Tensor:
        """The layers' input `[T, H]`, fp32."""
        x = nn.functional.embedding(tokens, self.embedding).float()
        x = x if self.new_rows is None else self.new_rows.added(tokens, x)
        return x if self.shape.embedding_scale is None else x * self.shape.embedding_scale

    def turns(self, position: Tensor) -> dict[Rope | None, Turn | None]:
        """Cosines and sines of each position, by the rotary embedding of a layer."""
        kinds = {layer.rope for layer in self.shape.attention}
        return {
            rope: None if rope is None else rope.turn(position, self.precision) for rope in kinds
        }

    def last_norm(self, x: Tensor) -> Tensor:
        """Hidden states ready for the head."""
        return rms_norm(x, self.norm, self.shape, self.precision)

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
        """Put an adapter on a layer, or on the head."""
        if site.path == self.head_site.path:
            put = partial(setattr, self, "untied")
            self.head_adapter = AdaptedHead(lambda: self.embeddings[-1], put, adapter)
            return
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


def _norm(shape: Architecture, width: int) -> nn.Parameter:
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


def _block_weights(block: Block, prefix: str) -> dict[str, Tensor]:
    out = {f"{prefix}.{name}": value for name, value in _norms(block).items()}
    for projection, home in _homes(block):
        for name, value in projection.split().items():
            out[f"{prefix}.{home}.{name}"] = value
    return out
