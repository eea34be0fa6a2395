"""Adapters on disk: PEFT's layout for low-rank weights, the hub's names for changed weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import seats
from tutelage.engine.backbone import Backbone
from tutelage.engine.lowrank import Factors, LowRank
from tutelage.engine.newrows import write_rows
from tutelage.engine.targets import choose_sites, target_modules

LORA_WEIGHTS, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
TUNED_WEIGHTS, TUNED_CONFIG = "model.safetensors", "tuned.json"
PREFIX, MAGNITUDE = "base_model.model.", "lora_magnitude_vector"
ROWS, INDICES = "token_adapter.trainable_tokens_delta", "trainable_token_indices"
# keys of PEFT that change what is computed in a way that is not computed here
UNCOMPUTED = (
    "rank_pattern",
    "alpha_pattern",
    "bias",
    "modules_to_save",
    "alora_invocation_tokens",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraShape:
    """Rank, scale and seats of an adapter, and what its weights begin as."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...] | None  # names or patterns of layers; None: all but the head
    rslora: bool = False
    dora: bool = False
    init: Literal["default", "pissa"] = "default"

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by.

        Source: LoRA, arXiv 2106.09685; rank-stabilised, arXiv 2312.03732.
        """
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


def attach_lora(backbone: Backbone, shape: LoraShape, *, seed: int) -> dict[str, LowRank]:
    """Fresh adapters on the chosen layers, by hub path, which change nothing yet.

    A is drawn and B is zero, or both are the principal part of their layer's matrix.

    Raises: BaseModelError where a target names no layer.
    """
    chosen = choose_sites(list(backbone.sites()), shape.targets, backbone.head_site)
    draw = torch.Generator().manual_seed(seed)
    adapters = {}
    for site in chosen:
        adapter = LowRank(
            inputs=site.inputs,
            outputs=site.outputs,
            rank=shape.rank,
            scale=shape.scale,
            dropout=shape.dropout,
        )
        nn.init.kaiming_uniform_(adapter.a, a=math.sqrt(5), generator=draw)
        backbone.attach(site, adapter)
        adapters[site.path] = adapter
    for seat in seats(backbone.module):
        if shape.init == "pissa":
            seat.adapter.take_principal(seat.matrix(), seed=seed)
        if shape.dora:
            seat.adapter.take_magnitudes(seat.matrix())
    return adapters


def save_lora(
    folder: Path,
    adapters: Mapping[str, LowRank],
    shape: LoraShape,
    *,
    base: str,
    backbone: Backbone,
) -> None:
    """Write adapter weights and configuration as PEFT reads them on the base as published.

    What began as the principal part of a matrix is written as its difference from that, in
    twice the rank: it fits the base itself, where PiSSA's own form would need a changed one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights: dict[str, Tensor] = {}
    for path, adapter in adapters.items():
        pair = adapter.factors()
        weights[f"{PREFIX}{path}.lora_A.weight"] = pair.a.detach().float().contiguous()
        weights[f"{PREFIX}{path}.lora_B.weight"] = pair.b.detach().float().contiguous()
        if adapter.magnitude is not None:
            weights[f"{PREFIX}{path}.{MAGNITUDE}"] = adapter.magnitude.detach().float()
    new = backbone.new_rows
    learnt = {} if new is None else new.rows()
    weights |= {f"{PREFIX}{path}.{ROWS}": rows.contiguous() for path, rows in learnt.items()}
    rank = next(iter(adapters.values())).factors().a.shape[0]
    save_file(weights, folder / LORA_WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": shape.scale * (math.sqrt(rank) if shape.rslora else rank),
        "lora_dropout": shape.dropout,
        "use_rslora": shape.rslora,
        "use_dora": shape.dora,
        "target_modules": target_modules(adapters, [*backbone.sites(), backbone.head_site]),
        INDICES: None if new is None else dict.fromkeys(learnt, new.ids),
        "bias": "none",
        "fan_in_fan_out": backbone.transposed,
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
    saved = read_lora(folder)
    _apply_rows(backbone, saved)
    sites = {site.path: site for site in (*backbone.sites(), backbone.head_site)}
    strange = [path for path in saved.pairs if path not in sites]
    if strange:
        raise _unfit(f"{len(strange)} of its {len(saved.pairs)} layers are none of the base's")
    for path, pair in saved.pairs.items():
        site = sites[path]
        if pair.a.shape[1] != site.inputs or pair.b.shape[0] != site.outputs:
            raise _unfit(f"{site.path} is {site.outputs} x {site.inputs} in the base")
        adapter = LowRank(
            inputs=site.inputs,
            outputs=site.outputs,
            rank=pair.a.shape[0],
            scale=saved.scale,
            dropout=0.0,
        )
        with torch.no_grad():
            adapter.a.copy_(pair.a)
            adapter.b.copy_(pair.b)
        if path in saved.magnitudes:
            adapter.magnitude = nn.Parameter(saved.magnitudes[path])
        backbone.attach(site, adapter.requires_grad_(False))


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLora:
    """A low-rank adapter on disk, its weights by the path of their layer."""

    scale: float
    pairs: Mapping[str, Factors]
    magnitudes: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]  # of tokens, by the path of their table
    ids: Mapping[str, list[int]]  # whose rows they are


def read_lora(folder: Path) -> SavedLora:
    """The weights and the scale of an adapter in PEFT's layout.

    Raises: BaseModelError where it asks for what is not computed here, or cannot be read.
    """
    config, weights = _read(folder)
    asked = [key for key in UNCOMPUTED if config.get(key) not in (None, False, "none", [], {})]
    if asked:
        raise _unfit(f"it asks for {', '.join(asked)}, which is not computed here")
    ends = {"a": ".lora_A.weight", "b": ".lora_B.weight"}
    ends |= {"magnitude": f".{MAGNITUDE}", "rows": f".{ROWS}"}
    found = {kind: _by_path(weights, end) for kind, end in ends.items()}
    left = len(weights) - sum(map(len, found.values()))
    if left or found["a"].keys() != found["b"].keys():
        raise _unfit(f"{left} of its {len(weights)} weights are of no known kind, or lack a pair")
    rslora = bool(config.get("use_rslora"))
    return SavedLora(
        scale=config["lora_alpha"] / (math.sqrt(config["r"]) if rslora else config["r"]),
        pairs={path: Factors(a=a, b=found["b"][path]) for path, a in found["a"].items()},
        magnitudes=found["magnitude"],
        rows=found["rows"],
        ids={path: _indices(config.get(INDICES), path) for path in found["rows"]},
    )


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        config = json.loads((folder / LORA_CONFIG).read_text(encoding="utf-8"))
        weights = load_file(folder / LORA_WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unfit(f"it cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise _unfit(f"`{LORA_CONFIG}` holds no object")
    for key in ("r", "lora_alpha"):
        number = config.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
            raise _unfit(f"`{LORA_CONFIG}` says `{key}: {number}`, and no number above zero")
    return config, weights


def _indices(said: Any, path: str) -> list[int]:
    """The tokens whose rows of a table are saved: a list is of the embedding's."""
    named = said if isinstance(said, dict) else {path: said}
    ends = [ids for name, ids in named.items() if path == name or path.endswith(f".{name}")]
    return [int(one) for one in ends[0] or ()] if ends else []


def _apply_rows(backbone: Backbone, saved: SavedLora) -> None:
    for path, rows in saved.rows.items():
        ids, table = saved.ids[path], backbone.tables.get(path)
        if table is None or max(ids, default=0) >= len(table):
            raise _unfit(f"it has rows of tokens that `{path}` has not")
        if rows.shape != (len(ids), table.shape[1]):
            raise _unfit(f"its rows of `{path}` are not those of {len(ids)} tokens")
    write_rows(backbone.tables, saved.ids, saved.rows)


def _by_path(weights: Mapping[str, Tensor], end: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(PREFIX).removesuffix(end): value
        for name, value in weights.items()
        if name.startswith(PREFIX) and name.endswith(end)
    }


def _apply_tuned(backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
    try:
        backbone.load(weights)
    except (KeyError, RuntimeError) as error:
        raise _unfit(str(error)) from error


def _unfit(cause: str) -> BaseModelError:
    return BaseModelError(
        f"the adapter does not fit the base: {cause}", expected="the base it was trained on"
    )
