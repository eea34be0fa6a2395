"""The flat backbone: our own forward over a packed row's `[T, H]` tokens.

Covers the dense decoders of `families.FAMILIES`; weights are read from and written to the hub's
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from tutelage.engine.architecture import Architecture
from tutelage.engine.attention import Layout
from tutelage.engine.block import Block, homes, hub_weights, norm_weight
from tutelage.engine.elementwise import rms_norm
from tutelage.engine.flat_decoder import FlatDecoder
from tutelage.engine.gather import take
from tutelage.engine.head import AdaptedHead
from tutelage.engine.lowrank import Beside, LowRank
from tutelage.engine.newrows import NewRows, larger
from tutelage.engine.projection import Projection
from tutelage.engine.recompute import Recomputed, recompute
from tutelage.engine.rope import Rope, Turn
from tutelage.engine.site import Site


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
        self.norm = norm_weight(shape, shape.hidden)
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

    def forward(self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source`, ready for the head.

        Shapes: tokens `[T]`, position `[T]` depth in the tree, source `[S]` row indices.
        """
        x, turns = self.embed(tokens), self.turns(position)
        x = x if self.on_embeddings is None else self.on_embeddings(x)
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            gathered = block.attend(*block.before(x, turns[block.layer.rope]), layout)
            if index == last:
                x, gathered = take(x, source), take(gathered, source)
            x = block.after(x, gathered)
        return self.last_norm(x)

    hidden = forward

    def layers_apart(self) -> Iterator[list[nn.Module]]:
        """The projections of each layer, which are called whole; a layer is called by halves."""
        for block in self.blocks:
            yield [part for part in block.modules() if isinstance(part, Projection)]

    def recompute(self, kind: Recomputed) -> None:
        """Keep only the inputs of the half behind attention, or of both halves."""
        for block in self.blocks:
            recompute(block, ("after",) if kind == "selective" else ("before", "after"))

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
        shape = self.shape
        return rms_norm(x, self.norm, shape.norm_epsilon, shape.norm_offset, self.precision)

    def decoder(self) -> FlatDecoder:
        """A fresh decoder over the same weights."""
        return FlatDecoder(self)

    def sites(self) -> Iterator[Site]:
        """Every linear layer an adapter may sit on, the head left out."""
        for index, block in enumerate(self.blocks):
            for projection, home in homes(block):
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
        for projection, _ in homes(block):
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
            out.update(hub_weights(block, f"model.layers.{index}"))
        return {name: value.detach() for name, value in out.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill every weight from the hub's names.

        Raises: KeyError for a weight that is missing, RuntimeError for one of another shape.
        """
        with torch.no_grad():
            for name, own in self.export().items():
                own.copy_(weights[name])
