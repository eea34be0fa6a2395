"""What a base model's folder says of it without being opened: licence and size."""

from __future__ import annotations

import json
import math

import yaml

from tutelage.store.base import LENGTH, BaseFolder

UNKNOWN = "not stated"
CARD = "README.md"
FENCE = "---"


def licence_of(base: BaseFolder) -> str:
    """The licence its model card states, by the hub's name for it; else that none is stated."""
    path = base.folder / CARD
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not text.startswith(FENCE):
        return UNKNOWN
    try:
        front = yaml.safe_load(text.split(FENCE, 2)[1])
    except yaml.YAMLError:
        return UNKNOWN
    stated = front.get("license") if isinstance(front, dict) else None
    if stated == "other" and front.get("license_name"):
        stated = front["license_name"]
    return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated or UNKNOWN)


def parameters_of(base: BaseFolder) -> int:
    """How many numbers its weights are, as the headers of their files say; 0 without weights."""
    count = 0
    for path in base.weight_files():
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(LENGTH), "little")))
        shapes = [one["shape"] for name, one in header.items() if name != "__metadata__"]
        count += sum(math.prod(shape) for shape in shapes)
    return count
