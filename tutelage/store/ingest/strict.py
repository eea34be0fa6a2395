"""JSON read strictly: what a parser would lose or change in silence is a fault."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault, kind

KEY = re.compile(r'"\s*:')
HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # of a character that UTF-16 writes as two
NO_NUMBER = re.compile(rb"-?(?:NaN|Infinity)")
PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def strict_object(written: str, what: str) -> dict[str, Any]:
    """The JSON object a text holds, every key once.

    Raises: Fault for anything else.
    """
    value = strict_json(written, what)
    if not isinstance(value, dict):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected an object")
    return value


def strict_json(written: str, what: str) -> Any:
    """The JSON value a text holds, no key of an object twice.

    Raises: Fault for anything else.
    """
    try:
        value = msgspec.json.decode(written)
        # a parser keeps the last of two equal keys; look closer only where one can be missing
        if _keys(value) != len(KEY.findall(written)):
            json.loads(written, object_pairs_hook=_each_key_once)
    except Fault:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        problem = _half(written) or said(error, written.encode(errors="replace"))
        raise Fault(Reason.INVALID_JSON, f"{what} is not JSON: {problem}") from error
    return value


def _keys(value: Any) -> int:
    count, inside = 0, [value]
    while inside:
        one = inside.pop()
        if isinstance(one, dict):
            count += len(one)
            inside += one.values()
        elif isinstance(one, list):
            inside += one
    return count


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Fault(Reason.INVALID_JSON, f"the key `{name}` is there twice")


def said(error: Exception, content: bytes) -> str:
    """What a parser says, in words for whoever wrote the content."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    told = str(error).removeprefix("JSON is malformed: ")
    if "truncated" in told:
        return "it ends too early"
    place = re.search(r"\(byte (\d+)\)", told)
    if place is None:
        return told
    at = int(place[1])
    strange = NO_NUMBER.match(content, max(at - 1, 0)) or NO_NUMBER.match(content, at)
    if strange:
        return f"{strange[0].decode()} is no number of JSON"
    line = content.count(b"\n", 0, at)
    where = f"line {line + 1}" if line else f"byte {at + 1}"
    return told.replace(place[0], f"at {where}")


def _half(written: str) -> str:
    """What is said of an escape that stands for half a character, empty where there is none."""
    found = HALF.search(PAIR.sub("", written))
    return f"{found[0]} is half a character" if found else ""
