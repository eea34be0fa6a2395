"""Roles by the names that speakers have in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TURNS = ("messages", "conversations", "prompt", "completion", "chosen", "rejected")
NAMES = ("role", "from")  # under which a turn names its speaker


def with_roles(row: dict[str, Any], roles: Mapping[str, str]) -> dict[str, Any]:
    """The row with the recipe's roles in the place of its speakers' names.

    What has no role in the recipe stays, and is refused where it is none.
    """
    found = {name: _each(row[name], roles) for name in TURNS if name in row}
    for name in ("request", "response"):
        if isinstance(row.get(name), dict) and "messages" in row[name]:
            found[name] = {**row[name], "messages": _each(row[name]["messages"], roles)}
    return {**row, **found}


def _each(value: Any, roles: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_turn(turn, roles) for turn in value]
    return _turn(value, roles)


def _turn(turn: Any, roles: Mapping[str, str]) -> Any:
    if not isinstance(turn, dict):
        return turn
    named = {name: turn[name] for name in NAMES if isinstance(turn.get(name), str)}
    return {**turn, **{name: roles.get(who, who) for name, who in named.items()}}
