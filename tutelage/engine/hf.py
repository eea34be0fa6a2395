"""The hf backbone: any causal language model of transformers, through its attention interface.

The packed row goes in as a batch of one; attention is ours, so that trees stay blind to
each other; no model code is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import Adapted, Packed, sizes_of
from tutelage.engine.attention import Layout, attend
from tutelage.engine.gather import take
from tutelage.engine.head import AdaptedHead
from tutelage.engine.hf_decoder import HfDecoder
from tutelage.engine.lowrank import Beside, LowRank
from tutelage.engine.newrows import NewRows
from tutelage.engine.recompute import Recomputed, recompute
from tutelage.engine.site import Site

OURS = "tutelage"
BESIDE = (".adapter.", ".new_rows.")  # in names of weights that are none of the base's
LINEAR = (nn.Linear, Conv1D, Packed, Adapted)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    **asked: Any,
) -> tuple[Tensor, None]:
    """Attention of one packed row inside a transformers model.

    Shapes: query `[1, Hq, T, D]`, key and value `[1, Hk, T, D]`, attention_mask what
        `window_mask` gave; returns `[1, T, Hq, D]`.
    Raises: BaseModelError where the model asks for what is not computed here.
    """
    if asked.get("s_aux") is not None:
        raise uncomputed("a layer of the base", "attention sinks")
    window = asked.get("sliding_window")
    if window is None and attention_mask is not None:
        window = int(attention_mask)
    # mixed precision may have widened queries and keys by their angles
    q, k, v = (x[0].transpose(0, 1).to(value.dtype) for x in (query, key, value))
    scale, cap = asked.get("scaling"), asked.get("softcap")
    with torch.autocast(value.device.type, enabled=False):
        out = attend(q, k, v, layout.within(window), scale=scale, cap=cap)
    return out[None], None


def window_mask(*_: Any, local_size: int | None = None, **__: Any) -> Tensor | None:
    """In place of a mask, the tokens a layer sees: the layout says the rest."""
    return None if local_size is None else torch.tensor(local_size)


class HfBackbone:
    """A transformers model behind the backbone protocol."""

    kind = "hf"

    def __init__(self, model: Any, alone: str | None = None) -> None:
        self._model = model
        self._body = model.base_model if model.base_model is not model else model.model
        self.alone = alone
        self.family = str(model.config.model_type)
        self.logit_cap: float | None = None
        self.logit_scale = 1.0  # is in the hidden states
        self.precision = torch.float32
        self.on_embeddings: Callable[[Tensor], Tensor] | None = None
        model.get_input_embeddings().register_forward_hook(self._embedded)
        self.transposed = any(isinstance(layer, Conv1D) for layer in model.modules())
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        names = ("max_position_embeddings", "n_positions")
        found = [getattr(model.config, name, None) for name in names]
        self.context: int = next((int(x) for x in found if x), 2048)

    @property
    def new_rows(self) -> NewRows | None:
        """What the rows of new tokens have learnt beside the frozen ones."""
        found = getattr(self._model.get_input_embeddings(), "new_rows", None)
        return found if isinstance(found, NewRows) else None

    @new_rows.setter
    def new_rows(self, rows: NewRows | None) -> None:
        self._model.get_input_embeddings().new_rows = rows

    def _embedded(self, table: nn.Module, given: tuple[Tensor, ...], x: Tensor) -> Tensor:
        if self.new_rows is not None:
            x = self.new_rows.added(given[0], x, getattr(table, "embed_scale", 1.0))
        return x if self.on_embeddings is None else self.on_embeddings(x)

    @property
    def config(self) -> Any:
        """The configuration of its language model."""
        return self._model.config.get_text_config(decoder=True)

    @property
    def module(self) -> nn.Module:
        """The whole transformers model."""
        module: nn.Module = self._model
        return module

    @property
    def head(self) -> Tensor:
        """Output weights `[V, H]` in the compute precision, without what an adapter adds."""
        weight: Tensor = self._model.get_output_embeddings().weight
        return weight.to(self.precision)

    def beside_head(self, hidden: Tensor) -> Beside | None:
        """What an adapter on the head, or new rows, add to the logits of hidden states `[S, H]`."""
        adapted = getattr(self._model.get_output_embeddings(), "adapter", None)
        trained = adapted if isinstance(adapted, AdaptedHead) else self.new_rows
        return None if trained is None else trained.beside(hidden)

    @property
    def tables(self) -> dict[str, nn.Parameter]:
        """Weights that have a row a token, by path: the embedding, and an untied head."""
        ends = (self._model.get_input_embeddings(), self._model.get_output_embeddings())
        tied = ends[0].weight is ends[1].weight
        found = {id(layer): path for path, layer in self._model.named_modules()}
        return {found[id(one)]: one.weight for one in (ends[:1] if tied else ends)}

    def resize(self, rows: int) -> None:
        """Makes room in the tables for more tokens; what the new rows are is left open."""
        self._model.resize_token_embeddings(rows, mean_resizing=False)
        self.vocabulary = rows

    @property
    def head_site(self) -> Site:
        """The head, where an adapter may sit too."""
        head = self._model.get_output_embeddings()
        path = next(path for path, layer in self._model.named_modules() if layer is head)
        outputs, inputs = head.weight.shape
        return Site(path=path, name=path.rsplit(".", 1)[-1], inputs=inputs, outputs=outputs)

    @property
    def embeddings(self) -> tuple[nn.Parameter, ...]:
        """Input, output and position embeddings."""
        tables = [m for m in self._model.modules() if isinstance(m, nn.Embedding)]
        every = [*tables, self._model.get_output_embeddings()]
        return tuple(x.weight for x in every if isinstance(x.weight, nn.Parameter))

    def hidden(self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source` of a row `[T]`.

        Raises: BaseModelError where a row holds more than the model can keep apart.
        """
        if self.alone is not None:
            tokens, position = self._one_lesson(tokens, position, layout, source)
            out = self.run_as_is(input_ids=tokens[None], position_ids=position[None])[0]
            return take(out, source)
        self._model.set_attn_implementation(OURS)
        out = self._run(
            input_ids=tokens[None], position_ids=position[None], use_cache=False, layout=layout
        )
        return take(out[0], source)

    def run_as_is(self, **inputs: Any) -> Tensor:
        """Hidden states `[B, L, H]` with the model's own attention, masks and cache."""
        own = "sdpa" if getattr(self._model, "_supports_sdpa", False) else "eager"
        self._model.set_attn_implementation(own)
        return self._run(**{"use_cache": False, **inputs})

    def _run(self, **inputs: Any) -> Tensor:
        with self.cast():
            out: Tensor = self._body(**inputs).last_hidden_state
        out = out.to(self.precision)
        return out if self.logit_scale == 1.0 else out * self.logit_scale

    def _one_lesson(
        self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The row's first lesson; what comes after it may be padding only."""
        size = int(layout.end[0])
        if not bool((layout.end[:size] == size).all()) or int(source.max()) >= size:
            raise BaseModelError(
                f"a row holds several lessons, and the base has {self.alone}, which would mix them",
                where="train.base",
                expected="one lesson a row",
            )
        return tokens[:size], position[:size]

    def cast(self) -> AbstractContextManager[object]:
        """Mixed precision over fp32 masters; nothing where weights have the precision."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self._model.device.type, self.precision)

    def layers_apart(self) -> Iterator[list[nn.Module]]:
        """Each layer by itself."""
        for layer in self._layers():
            yield [layer]

    def recompute(self, kind: Recomputed) -> None:
        """Keep only the inputs of layers.

        Raises: BaseModelError for parts of them.
        """
        if kind == "selective":
            raise BaseModelError(
                "the hf backbone computes whole layers again, not parts of them",
                where="train.gradient_checkpointing",
                expected="none or full",
                hint="set `full`, or lower `train.rows_tokens`",
            )
        for layer in self._layers():
            recompute(layer, ("forward",))

    def _layers(self) -> nn.ModuleList:
        stacks = [part for part in self._model.modules() if isinstance(part, nn.ModuleList)]
        return max(stacks, key=lambda stack: sum(x.numel() for x in stack.parameters()))

    def compile(self) -> None:
        """Nothing: transformers' models change too much from step to step to gain by it."""

    def decoder(self) -> HfDecoder:
        """A fresh decoder over the same weights."""
        return HfDecoder(self)

    def sites(self) -> Iterator[Site]:
        """Every linear layer an adapter may sit on, the head left out."""
        head = self._model.get_output_embeddings()
        for path, layer in self._model.named_modules():
            inner = path.endswith(".base")  # of an adapted layer, which stands for it
            if layer is head or inner or not isinstance(layer, LINEAR):
                continue
            outputs, inputs = sizes_of(layer)
            yield Site(path=path, name=path.rsplit(".", 1)[-1], inputs=inputs, outputs=outputs)

    def attach(self, site: Site, adapter: LowRank) -> None:
        """Put an adapter on a layer, or on the head."""
        layer = self._model.get_submodule(site.path)
        if layer is self._model.get_output_embeddings():
            put = partial(setattr, layer, "weight")
            layer.adapter = AdaptedHead(lambda: layer.weight, put, adapter)
            return
        home, _, name = site.path.rpartition(".")
        setattr(self._model.get_submodule(home), name, Adapted(layer, adapter))

    def export(self) -> dict[str, Tensor]:
        """Base weights under the hub's names, a tied head left out."""
        head = self._model.get_output_embeddings().weight
        tied = head is self._model.get_input_embeddings().weight
        state = {name.replace(".base.", "."): x for name, x in self._model.named_parameters()}
        return {
            name: value.detach()
            for name, value in state.items()
            if not any(one in name for one in BESIDE) and not (tied and name == "lm_head.weight")
        }

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill base weights from the hub's names; those not named stay."""
        own = dict(self._model.named_parameters())
        for name, value in weights.items():
            own[name].copy_(value)


def uncomputed(who: str, what: str) -> BaseModelError:
    """The error for what a model asks of us and does not get."""
    return BaseModelError(
        f"{who} has {what}, which is not computed here",
        where="train.base",
        expected="a model without it",
    )
