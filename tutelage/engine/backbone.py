"""What a backbone is, and which one computes a base model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tutelage.core.errors import BaseModelError
from tutelage.engine.architecture import Architecture
from tutelage.engine.attention import Layout, backend_of
from tutelage.engine.families import read_architecture, uncomputed
from tutelage.engine.flat import FlatBackbone
from tutelage.engine.lowrank import Beside, LowRank
from tutelage.engine.newrows import NewRows, start_rows
from tutelage.engine.projection import initialise
from tutelage.engine.recompute import Recomputed
from tutelage.engine.site import Site
from tutelage.render.tokenizer import read_tokenizer
from tutelage.store.base import BaseFolder

log = logging.getLogger(__name__)


class Decoder(Protocol):
    """Sequences growing side by side, their keys and values kept."""

    def start(self, prompts: list[tuple[int, ...]], room: int) -> Tensor:
        """Hidden state of each prompt's last token `[B, H]`; `room` tokens may follow."""

    def extend(self, tokens: Tensor) -> Tensor:
        """Hidden states `[B, H]` after one more token each, `[B]`."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only, `[B']` indices."""


class Backbone(Protocol):
    """Packed row in, hidden states at the supervised sources out."""

    kind: str
    family: str  # the hub's `model_type`
    transposed: bool  # matrices are stored input first, as GPT-2's are
    precision: torch.dtype
    vocabulary: int
    context: int
    logit_cap: float | None  # logits of the head are kept softly within it
    alone: str | None  # layers that would mix lessons of a row, by name; None where there are none
    new_rows: NewRows | None  # what rows of new tokens have learnt beside frozen tables
    on_embeddings: Callable[[Tensor], Tensor] | None  # what training does to embeddings `[…, H]`

    @property
    def head(self) -> Tensor:
        """Output weights `[V, H]`, without what an adapter adds."""

    def beside_head(self, hidden: Tensor) -> Beside | None:
        """What an adapter on the head, or new rows, add to the logits of hidden states `[S, H]`."""

    @property
    def tables(self) -> dict[str, nn.Parameter]:
        """Weights that have a row a token, by path: the embedding, and an untied head."""

    def resize(self, rows: int) -> None:
        """Makes room in the tables for more tokens."""

    @property
    def head_site(self) -> Site:
        """The head, where an adapter may sit too."""

    @property
    def module(self) -> nn.Module:
        """The weights, for optimizers and state."""

    @property
    def embeddings(self) -> tuple[nn.Parameter, ...]:
        """Input and output embeddings, which Muon leaves to AdamW."""

    def hidden(self, tokens: Tensor, position: Tensor, layout: Layout, source: Tensor) -> Tensor:
        """Hidden states `[S, H]` at `source` of a row `[T]`."""

    def layers_apart(self) -> Iterator[list[nn.Module]]:
        """What is gathered at once where weights lie in parts: a layer, or the parts of one that
        are called by themselves.
        """

    def recompute(self, kind: Recomputed) -> None:
        """Keep only the inputs of parts of each layer, and compute these again for the gradient.

        `selective`: of what stands behind attention, where most is kept; `full`: of all but
        attention on the flat backbone, of whole layers on the other.

        Raises: BaseModelError where layers are not divided.
        """

    def compile(self) -> None:
        """Trade seconds once for faster steps, where the backbone knows how."""

    def decoder(self) -> Decoder:
        """A fresh decoder over the same weights."""

    def sites(self) -> Iterator[Site]:
        """Every linear layer an adapter may sit on, the head left out."""

    def attach(self, site: Site, adapter: LowRank) -> None:
        """Put an adapter on a layer, or on the head."""

    def export(self) -> dict[str, Tensor]:
        """Base weights under the hub's names."""

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Fill base weights from the hub's names; those not named stay."""


def open_backbone(
    base: BaseFolder,
    *,
    precision: torch.dtype,
    random_seed: int | None = None,
    frozen: bool = False,
    force_hf: bool = False,
) -> Backbone:
    """The base model's weights on the backbone that knows it.

    `random_seed` draws fresh weights instead of reading them; `frozen` weights are stored
    in the compute precision and take no gradient, others are fp32 masters.

    Raises: BaseModelError where the weights are missing or do not fit the configuration.
    """
    shape = None if force_hf else read_architecture(base.config)
    if shape is None:
        from tutelage.engine.hf_open import open_hf

        cause = "asked for" if force_hf else uncomputed(base.config)
        log.info("backbone: hf (%s)", cause)
        backbone: Backbone = open_hf(
            base, precision=precision, random_seed=random_seed, frozen=frozen
        )
    else:
        log.info("backbone: flat (%s)", shape.family)
        backbone = _open_flat(base, shape, random_seed, precision if frozen else torch.float32)
    if base.new_tokens:
        _make_room(backbone, base)
    backbone.precision = precision
    if backbone.alone is not None:
        log.info("rows hold one lesson each: the base has %s", backbone.alone)
    if frozen:
        for weight in backbone.module.parameters():
            weight.requires_grad_(False)
            weight.data = weight.data.to(precision)  # not buffers: rotary frequencies stay fp32
    return backbone


def _open_flat(
    base: BaseFolder, shape: Architecture, random_seed: int | None, stored: torch.dtype
) -> FlatBackbone:
    model = FlatBackbone(shape)
    if random_seed is not None:
        initialise(model, seed=random_seed, layers=shape.layers)
        return model
    model.to(stored)  # before they are read: a large base is held once, in few bytes
    weights = read_weights(base)
    if "model.embed_tokens.weight" not in weights and "embed_tokens.weight" in weights:
        weights = {f"model.{name}": value for name, value in weights.items()}
    try:
        model.load(weights)
    except (KeyError, RuntimeError) as error:
        raise BaseModelError(
            f"the weights of `{base.name}` do not fit its config.json: {error}", where="train.base"
        ) from error
    return model


def _make_room(backbone: Backbone, base: BaseFolder) -> None:
    """Rows for the new tokens, each the mean of its pieces'."""
    pieces = read_tokenizer(base).pieces
    if max(pieces) >= backbone.vocabulary:
        backbone.resize(max(pieces) + 1)
    start_rows(backbone.tables, pieces)


def settle(backbone: Backbone, device: torch.device) -> None:
    """Moves a backbone, with all that sits on it, to its device."""
    backbone.module.to(device)
    log.info("attention: %s", backend_of(device, backbone.precision))


def read_weights(base: BaseFolder) -> dict[str, Tensor]:
    """Every tensor of the base's safetensors files.

    Raises: BaseModelError where there are none.
    """
    paths = base.weight_files()
    if not paths:
        raise BaseModelError(
            f"`{base.name}` has no weights",
            where="train.base",
            expected="model.safetensors in its folder",
            hint="set `train.init: random` to start from untrained weights; they are no baseline",
        )
    weights: dict[str, Tensor] = {}
    for path in paths:
        weights |= load_file(path)
    return weights
