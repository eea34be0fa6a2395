"""The hf backbone: any causal language model of transformers, through its attention interface.

The packed row goes in as a batch of one; attention is ours, so that trees stay blind to
each other; no model code is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM, DynamicCache
from transformers.masking_utils import AttentionMaskInterface
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import Adapted, Packed, sizes_of
from tutelage.engine.attention import Layout, attend
from tutelage.engine.gather import take
from tutelage.engine.lowrank import LowRank
from tutelage.engine.site import Site
from tutelage.store.base import BaseFolder

OURS = "tutelage"
LINEAR = (nn.Linear, Conv1D, Packed, Adapted)
# keys of config.json that change attention or logits in a way that is not computed here
UNCOMPUTED = (
    "final_logit_softcapping",
    "attn_logit_softcapping",
    "logits_scaling",
    "logit_scale",
)
RECURRENT = ("mamba", "rwkv", "jamba", "bamba", "falcon_h1", "nemotron_h", "qwen3_next", "zamba")


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    plan: Layout,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention of one packed row inside a transformers model.

    Shapes: query `[1, Hq, T, D]`, key and value `[1, Hk, T, D]`; returns `[1, T, Hq, D]`.
    Raises: BaseModelError where the model asks for what is not computed here.
    """
    _refuse_uncomputed(plan, more)
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    return attend(q, k, v, plan, scaling)[None], None


def no_mask(*_: Any, **__: Any) -> None:
    """The plan says who sees whom."""


class HfBackbone:
    """A transformers model behind the backbone protocol."""

    kind = "hf"

    def __init__(self, model: Any) -> None:
        self._model = model
        self.precision = torch.float32
        self.on_embeddings: Callable[[Tensor], Tensor] | None = None
        model.get_input_embeddings().register_forward_hook(self._embedded)
        self.transposed = any(isinstance(layer, Conv1D) for layer in model.modules())
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        names = ("max_position_embeddings", "n_positions")
        found = [getattr(model.config, name, None) for name in names]
        self.context: int = next((int(x) for x in found if x), 2048)

    def _embedded(self, _: nn.Module, __: object, x: Tensor) -> Tensor:
        return x if self.on_embeddings is None else self.on_embeddings(x)

    @property
    def module(self) -> nn.Module:
        """The whole transformers model."""
        module: nn.Module = self._model
        return module

    @property
    def head(self) -> Tensor:
        """Output weights `[V, H]` in the compute precision."""
        weight: Tensor = self._model.get_output_embeddings().weight
        return weight.to(self.precision)

    @property
    def embeddings(self) -> tuple[nn.Parameter, ...]:
        """Input, output and position embeddings."""
        tables = [m for m in self._model.modules() if isinstance(m, nn.Embedding)]
        every = [*tables, self._model.get_output_embeddings()]
        return tuple(x.weight for x in every if isinstance(x.weight, nn.Parameter))

    def hidden(self, tokens: Tensor, position: Tensor, plan: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source` of a row `[T]`."""
        self._model.set_attn_implementation(OURS)
        with self.cast():
            out = self._model.base_model(
                input_ids=tokens[None], position_ids=position[None], use_cache=False, plan=plan
            )
        return take(out.last_hidden_state[0].to(self.precision), source)

    def cast(self) -> AbstractContextManager[object]:
        """Mixed precision over fp32 masters; nothing where weights have the precision."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self._model.device.type, self.precision)

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
        """Put an adapter on a layer."""
        layer = self._model.get_submodule(site.path)
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
            if ".adapter." not in name and not (tied and name == "lm_head.weight")
        }

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill base weights from the hub's names; those not named stay."""
        own = dict(self._model.named_parameters())
        for name, value in weights.items():
            own[name].copy_(value)


class HfDecoder:
    """Left-padded sequences over transformers' own cache."""

    def __init__(self, backbone: HfBackbone) -> None:
        self._backbone = backbone
        self._model = backbone._model
        self._cache: Any = None
        self._mask = torch.zeros(0, 0, dtype=torch.long)

    @torch.no_grad()
    def start(self, prompts: list[tuple[int, ...]], room: int) -> Tensor:
        """Hidden state of each prompt's last token `[B, H]`."""
        longest = max(map(len, prompts))
        rows = [[0] * (longest - len(ids)) + list(ids) for ids in prompts]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
        self._cache = DynamicCache()
        self._mask = torch.tensor(mask)
        return self._step(torch.tensor(rows))

    @torch.no_grad()
    def extend(self, tokens: Tensor) -> Tensor:
        """Hidden states `[B, H]` after one more token each, `[B]`."""
        self._mask = torch.cat([self._mask, torch.ones_like(tokens)[:, None]], 1)
        return self._step(tokens[:, None])

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only."""
        self._mask = self._mask[rows]
        self._cache.reorder_cache(rows)

    def _step(self, tokens: Tensor) -> Tensor:
        self._model.set_attn_implementation("sdpa")
        position = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        with self._backbone.cast():
            out = self._model.base_model(
                input_ids=tokens,
                attention_mask=self._mask,
                position_ids=position,
                past_key_values=self._cache,
                use_cache=True,
            )
        hidden: Tensor = out.last_hidden_state[:, -1].to(self._backbone.precision)
        return hidden


def open_hf(
    base: BaseFolder, *, precision: torch.dtype, random_seed: int | None, frozen: bool
) -> HfBackbone:
    """The base model as transformers builds it.

    Raises: BaseModelError for recurrent models and for heads that do more than multiply, by name.
    """
    _refuse(base)
    AttentionInterface.register(OURS, packed_attention)
    AttentionMaskInterface.register(OURS, no_mask)
    kind = precision if frozen else torch.float32
    try:
        config = AutoConfig.from_pretrained(base.folder)
        if random_seed is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(random_seed)
                model = AutoModelForCausalLM.from_config(config, dtype=kind)
        else:
            with _without_bars():
                model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=kind)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelError(
            f"transformers cannot open `{base.name}`: {error}", where="train.base"
        ) from error
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        raise _uncomputed(f"`{base.name}`", "a bias on its head")
    return HfBackbone(model.eval())


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps transformers' progress bars off stderr, where the run's own is drawn."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _refuse(base: BaseFolder) -> None:
    family = str(base.config.get("model_type", ""))
    if family.startswith(RECURRENT):
        raise BaseModelError(
            f"`{base.name}` has recurrent layers ({family}), which packed rows would mix",
            where="train.base",
            expected="a model whose layers are all attention",
        )
    inner = {**base.config, **(base.config.get("text_config") or {})}
    for key in UNCOMPUTED:
        if inner.get(key) not in (None, 0, 1):
            raise _uncomputed(f"`{base.name}`", f"`{key}`")


def _refuse_uncomputed(plan: Layout, asked: Mapping[str, Any]) -> None:
    """What a layer asks of its attention beyond the plan: a window, caps, sinks."""
    window = asked.get("sliding_window")
    longest = max((group.length for group in plan.groups), default=0)
    if window is not None and longest > window:
        raise BaseModelError(
            f"a layer sees {window} tokens and a lesson, or lessons folded together, has {longest}",
            where="train.base",
            expected="rows within the sliding window, which packed attention does not compute",
            hint=f"set `contract.context_tokens` and `train.rows_tokens` to {window} at most",
        )
    for name, what in (("softcap", "capped attention"), ("s_aux", "attention sinks")):
        if asked.get(name) is not None:
            raise _uncomputed("a layer of the base", what)


def _uncomputed(who: str, what: str) -> BaseModelError:
    return BaseModelError(
        f"{who} has {what}, which is not computed here",
        where="train.base",
        expected="a model without it",
    )
