"""Opening a base model on transformers, and making sure that we compute what it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM
from transformers.masking_utils import AttentionMaskInterface
from transformers.utils import logging

from tutelage.core.errors import BaseModelError
from tutelage.engine.attention import capped, layout
from tutelage.engine.folding import unfoldable
from tutelage.engine.hf import OURS, HfBackbone, packed_attention, uncomputed, window_mask
from tutelage.store.base import BaseFolder

STATEFUL = ("rwkv",)
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of the largest value


def open_hf(
    base: BaseFolder, *, precision: torch.dtype, random_seed: int | None, frozen: bool
) -> HfBackbone:
    """The base model as transformers builds it.

    Where its layers cannot tell the lessons of a row apart, rows hold one: `alone` says why.

    Raises: BaseModelError where its head or its state is not what is computed here.
    """
    if str(base.config.get("model_type", "")).startswith(STATEFUL):
        raise uncomputed(f"`{base.name}`", "a state that is in no cache")
    AttentionInterface.register(OURS, packed_attention)
    AttentionMaskInterface.register(OURS, window_mask)
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
        raise uncomputed(f"`{base.name}`", "a bias on its head")
    backbone = HfBackbone(model.eval(), unfoldable(base.config))
    backbone.precision = kind
    if backbone.alone is None and not _keeps_apart(backbone):
        backbone.alone = f"attention of its own ({backbone.family})"
    _fit_head(backbone, base)
    return backbone


@torch.no_grad()
def _keeps_apart(backbone: HfBackbone) -> bool:
    """Whether a forked row of a few tokens gives what its paths give under the model's own
    attention; not so where a model's attention is not of transformers' interface."""
    device = backbone.embeddings[0].device
    depth = [0, 1, 2, 3, 4, 3, 4, 0, 1, 2]
    end = np.asarray([7, 7, 7, 5, 5, 7, 7, 10, 10, 10], dtype=np.int32)
    places = torch.arange(len(depth), device=device)
    ids = (places + 1) % backbone.vocabulary
    try:
        together = backbone.hidden(ids, places.new_tensor(depth), layout(end), places)
    except (BaseModelError, TypeError):
        return False
    paths = ([0, 1, 2, 3, 4], [0, 1, 2, 5, 6], [7, 8, 9])
    return all(
        _alike(together[path], backbone.run_as_is(input_ids=ids[path][None])[0]) for path in paths
    )


@torch.no_grad()
def _fit_head(backbone: HfBackbone, base: BaseFolder) -> None:
    """Finds the scale and the soft cap by which logits leave the head.

    The head is made to give logits that are known, and large; the model says what it makes of
    them. What the configuration names is tried, the plain product first.
    """
    model, ids = (
        backbone.module,
        torch.zeros(1, 1, dtype=torch.long, device=backbone.embeddings[0].device),
    )
    known = torch.linspace(-90.0, 90.0, backbone.vocabulary, device=ids.device)
    known = known.to(backbone.head.dtype)[None, None]
    inputs: list[Tensor] = []

    def replace_logits(_: nn.Module, given: tuple[Tensor, ...], __: Tensor) -> Tensor:
        inputs.append(given[0])
        return known

    hook = model.get_output_embeddings().register_forward_hook(replace_logits)  # type: ignore[operator]
    try:
        found = model(input_ids=ids).logits
        plain = backbone.run_as_is(input_ids=ids)
    finally:
        hook.remove()
    for scale, cap in _heads(base):
        if _alike(inputs[0], plain) and _alike(capped(known * scale, cap), found):
            backbone.logit_scale, backbone.logit_cap = scale, cap
            return
    raise uncomputed(f"`{base.name}`", "a head that does more than multiply, scale and cap")


def _heads(base: BaseFolder) -> list[tuple[float, float | None]]:
    """Scales and caps that the configuration may mean."""
    said = {**base.config, **(base.config.get("text_config") or {})}
    scales = [1.0]
    scales += [float(said[key]) for key in ("logit_scale", "lm_head_multiplier") if said.get(key)]
    scales += [1 / float(said[key]) for key in ("logits_scaling",) if said.get(key)]
    caps = [None, *(float(said[key]) for key in ("final_logit_softcapping",) if said.get(key))]
    return [(scale, cap) for scale in scales for cap in caps]


def _alike(one: Tensor, other: Tensor) -> bool:
    furthest = float((one.float() - other.float()).abs().max())
    return furthest <= TOLERANCE.get(one.dtype, 1e-4) * float(other.float().abs().max())


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
