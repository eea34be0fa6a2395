"""Adapters on disk: PEFT's layout for low-rank weights, the hub's names for changed weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutelage.core.errors import BaseModelError
from tutelage.engine.backbone import Backbone
from tutelage.engine.projection import LowRank
from tutelage.engine.site import Site

LORA_WEIGHTS, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
TUNED_WEIGHTS, TUNED_CONFIG = "model.safetensors", "tuned.json"
PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraShape:
    """Rank, scale and seats of an adapter."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...] | None  # names of layers; None: all but the head


def attach_lora(backbone: Backbone, shape: LoraShape, *, seed: int) -> dict[str, LowRank]:
    """Fresh adapters on the chosen layers, by hub path; A is drawn, B is zero.

    Raises: BaseModelError where no layer has a target's name.
    """
    sites = list(backbone.sites())
    chosen = _chosen(sites, shape.targets)
    draw = torch.Generator().manual_seed(seed)
    adapters = {}
    for site in chosen:
        adapter = LowRank(
            inputs=site.inputs,
            outputs=site.outputs,
            rank=shape.rank,
            scale=shape.alpha / shape.rank,
            dropout=shape.dropout,
        )
        nn.init.kaiming_uniform_(adapter.a, a=math.sqrt(5), generator=draw)
        backbone.attach(site, adapter)
        adapters[site.path] = adapter
    return adapters


def _chosen(sites: Sequence[Site], targets: tuple[str, ...] | None) -> list[Site]:
    if targets is None:
        return list(sites)
    names = sorted({site.name for site in sites})
    missing = [target for target in targets if target not in names]
    if missing:
        raise BaseModelError(
            f"no layer is named {', '.join(missing)}",
            where="train.lora.targets",
            expected=f"some of {', '.join(names)}",
        )
    return [site for site in sites if site.name in targets]


def save_lora(
    folder: Path, adapters: Mapping[str, LowRank], shape: LoraShape, *, base: str, transposed: bool
) -> None:
    """Write adapter weights and configuration as PEFT reads them.

    `transposed` says that the base stores its matrices input first (GPT-2).
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, Tensor] = {}
    for path, adapter in adapters.items():
        weights[f"{PREFIX}{path}.lora_A.weight"] = adapter.a.detach().float().contiguous()
        weights[f"{PREFIX}{path}.lora_B.weight"] = adapter.b.detach().float().contiguous()
    save_file(weights, folder / LORA_WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": shape.rank,
        "lora_alpha": shape.alpha,
        "lora_dropout": shape.dropout,
        "target_modules": sorted({path.rsplit(".", 1)[-1] for path in adapters}),
        "bias": "none",
        "fan_in_fan_out": transposed,
        "inference_mode": True,
    }
    (folder / LORA_CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")


def save_tuned(folder: Path, backbone: Backbone, *, base: str) -> None:
    """Write every weight after full tuning, in bf16 under the hub's names."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: x.to(torch.bfloat16).contiguous() for name, x in backbone.export().items()}
    save_file(weights, folder / TUNED_WEIGHTS, metadata={"format": "pt"})
    config = {"schema": 1, "base": base, "precision": "bf16", "weights": len(weights)}
    (folder / TUNED_CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")


def holds_all(folder: Path) -> bool:
    """Whether a saved adapter holds every weight, not low-rank changes to those of the base."""
    return (folder / TUNED_WEIGHTS).exists()


def apply_adapter(backbone: Backbone, folder: Path) -> None:
    """Put a saved adapter on a base, whichever of the two layouts the folder has.

    Raises: BaseModelError where the weights do not fit the base.
    """
    if holds_all(folder):
        _apply_tuned(backbone, load_file(folder / TUNED_WEIGHTS))
        return
    config = json.loads((folder / LORA_CONFIG).read_text(encoding="utf-8"))
    weights = load_file(folder / LORA_WEIGHTS)
    used = 0
    for site in list(backbone.sites()):
        key = f"{PREFIX}{site.path}.lora_A.weight"
        if key not in weights:
            continue
        a, b = weights[key], weights[key.replace("lora_A", "lora_B")]
        if a.shape[1] != site.inputs or b.shape[0] != site.outputs:
            raise _unfit(f"{site.path} is {site.outputs} x {site.inputs} in the base")
        adapter = LowRank(
            inputs=site.inputs,
            outputs=site.outputs,
            rank=a.shape[0],
            scale=config["lora_alpha"] / config["r"],
            dropout=0.0,
        )
        with torch.no_grad():
            adapter.a.copy_(a)
            adapter.b.copy_(b)
        backbone.attach(site, adapter.requires_grad_(False))
        used += 2
    if used != len(weights):
        raise _unfit(
            f"{len(weights) - used} of its {len(weights)} weights name no layer of the base"
        )


def _apply_tuned(backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
    try:
        backbone.load(weights)
    except (KeyError, RuntimeError) as error:
        raise _unfit(str(error)) from error


def _unfit(cause: str) -> BaseModelError:
    return BaseModelError(
        f"the adapter does not fit the base: {cause}", expected="the base it was trained on"
    )
