"""Every text of a row, read and written back: nothing a row teaches or shows is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.digest import Json
from tutelage.core.row import Example

FORMS = ("{", "[")  # which a JSON object or list begins with
LEAST_DIGITS = 7  # of a whole number that could be somebody's
Each = Callable[[str, str], str]  # the name a text stands under, and the text; what to write


def rewrite(example: Example, each: Each) -> Example:
    """The row with every text replaced by what `each` makes of it, always in the same order.

    Texts are the messages' words, reasoning and names, calls with their names and ids, tools, both
    answers of a preference row, tags with their names, what the licence rests on and how a model
    was asked; in JSON, names of fields and long numbers too. The keys by which a row is joined
    (author, consent key, parents) are none. A row that is changed gets the id of its new content.
    """
    return replace(example, **_parts(example, each), id="")


def read(example: Example) -> list[tuple[str, str]]:
    """Every text of a row with the name it stands under, in the order of `rewrite`."""
    if _turns_alone(example):
        return [("", message.content) for message in example.messages]
    texts: list[tuple[str, str]] = []

    def each(name: str, text: str) -> str:
        texts.append((name, text))
        return text

    for message in example.messages:
        if plain(message):
            texts.append(("", message.content))
        else:
            _message(message, each)
    for tool in example.tools:
        _mapping(tool, each)
    for message in (*example.chosen, *example.rejected):
        _message(message, each)
    for name, value in example.tags.items():
        _named(name, each)
        texts.append((name, value))
    _whence(example, each)
    return texts


def _turns_alone(example: Example) -> bool:
    """Whether a row has no text but the words of its turns, as most have."""
    beside = example.tools or example.chosen or example.rejected or example.tags
    told = example.licence_basis is not None or example.generator is not None
    return not (beside or told) and all(map(plain, example.messages))


def _parts(example: Example, each: Each) -> dict[str, Any]:
    return {
        "messages": tuple(_message(message, each) for message in example.messages),
        "tools": tuple(_mapping(tool, each) for tool in example.tools),
        "chosen": tuple(_message(message, each) for message in example.chosen),
        "rejected": tuple(_message(message, each) for message in example.rejected),
        "tags": _tags(example.tags, each),
        **_whence(example, each),
    }


def _tags(tags: Mapping[str, str], each: Each) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in tags.items():
        out[_free(_named(name, each), out)] = each(name, value)
    return out


def _whence(example: Example, each: Each) -> dict[str, Any]:
    """What is said of where a row comes from, as far as it is words."""
    basis, made = example.licence_basis, example.generator
    basis = basis if basis is None else each("", basis)
    if made is not None and made.parameters:
        made = replace(made, parameters=_mapping(made.parameters, each))
    return {"licence_basis": basis, "generator": made}


def _named(name: str, each: Each) -> str:
    """A name as `each` writes it; one without signs and blanks is nobody's data."""
    return name if name.isidentifier() else each("", name)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or one like it where two are one once they are replaced."""
    while name in taken:
        name += "'"
    return name


def plain(message: Message) -> bool:
    """Whether a message is words alone, as most are."""
    bare = message.reasoning is None and message.name is None and not message.tool_calls
    return bare and message.tool_call_id is None and message.content.lstrip()[:1] not in FORMS


def _message(message: Message, each: Each) -> Message:
    content = _content(message.content, each)
    reasoning = None if message.reasoning is None else each("", message.reasoning)
    calls = tuple(_call(call, each) for call in message.tool_calls)
    name = None if message.name is None else each("", message.name)
    answers = None if message.tool_call_id is None else _named(message.tool_call_id, each)
    made = replace(
        message,
        content=content,
        reasoning=reasoning,
        tool_calls=calls,
        tool_call_id=answers,
        name=name,
    )
    return message if made == message else made


def _call(call: ToolCall, each: Each) -> ToolCall:
    called = None if call.id is None else _named(call.id, each)
    named = _named(call.name, each)
    return replace(call, name=named, arguments=_mapping(call.arguments, each), id=called)


def _mapping(form: Mapping[str, Json], each: Each) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for name, value in form.items():
        written = _free(each("", name), out)
        out[written] = _json(name, value, each)
    return out


def _json(name: str, value: Any, each: Each) -> Json:
    if isinstance(value, str):
        return each(name, value)
    if isinstance(value, Mapping):
        return _mapping(value, each)
    if isinstance(value, list | tuple):
        return [_json(name, one, each) for one in value]
    if isinstance(value, int) and len(str(value)) >= LEAST_DIGITS:
        written = each(name, str(value))
        return value if written == str(value) else written
    return cast(Json, value)


def _content(text: str, each: Each) -> str:
    """Words as they are; a JSON object or list value by value, in the writing it had."""
    form = _parsed(text)
    if form is None:
        return each("", text)
    changed: dict[str, str] = {}

    def noted(name: str, value: str) -> str:
        written = each(name, value)
        if written != value:
            changed[value] = written
        return written

    wanted = _json("", form, noted)
    if not changed:
        return text
    for value, written in sorted(changed.items(), key=lambda pair: -len(pair[0])):
        quoted = json.dumps(written, ensure_ascii=False)
        for old in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
            text = text.replace(old, quoted)
        if value.isdigit():
            text = re.sub(rf"(?<![\w.\"]){value}(?![\w.\"])", quoted.replace("\\", r"\\"), text)
    return text if _parsed(text) == wanted else json.dumps(wanted, ensure_ascii=False)


def _parsed(text: str) -> Any:
    """What a JSON object or list says, None for any other text."""
    if text.lstrip()[:1] not in FORMS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
