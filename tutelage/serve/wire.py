"""Requests for a chat completion, read strictly.

What would change the answer and is not known here is refused by name; what changes
nothing is accepted. Supported: `model messages temperature top_p seed max_tokens
max_completion_tokens stop stream stream_options.include_usage response_format tools`,
and `user` and `metadata`, which the event keeps; these and stop texts are short. An answer
is never longer than `contract.decoding.max_new_tokens`, whatever is asked: `finish_reason`
is then `length`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from tutelage.core.conversation import Conversation
from tutelage.core.digest import Json
from tutelage.serve.messages import read_conversation
from tutelage.serve.refusal import Refusal, invalid
from tutelage.serve.theirs import TheirSchema

TAKEN = frozenset(
    {"model", "messages", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens"}
    | {"stop", "stream", "stream_options", "response_format", "tools", "user", "metadata"}
)
HARMLESS = frozenset(
    {"store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)
NEUTRAL: Mapping[str, tuple[Json, ...]] = {  # values that ask for what is done anyway
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "tool_choice": ("auto",),
    "parallel_tool_calls": (True,),
    "modalities": (["text"],),
}
STOPS, WORDS_OF_METADATA = 4, 16
LONGEST = {"stop": 1_000, "user": 512, "key": 64, "value": 512}  # characters of a text
SEEDS = 1 << 64

Form = Literal["text", "json_object", "json_schema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it was understood; None where the client leaves something to the server."""

    model: str
    conversation: Conversation
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    form: Form = "text"
    schema: TheirSchema | None = None  # the client's own, with form `json_schema`
    user: str | None = None
    metadata: Mapping[str, str] | None = None


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, without what is null.

    Raises: Refusal.
    """
    try:
        form = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal("the body is no JSON object", code="invalid_json") from None
    return {key: value for key, value in form.items() if value is not None}


def read_request(body: bytes) -> Asked:
    """The request for a chat completion in a body.

    Raises: Refusal naming the parameter at fault.
    """
    form = read_json(body)
    for key, value in form.items():
        if key in TAKEN or key in HARMLESS or _neutral(key, value):
            continue
        only = f"; only {_listed(NEUTRAL[key])} is" if key in NEUTRAL else ""
        raise Refusal(f"`{key}` is not supported{only}", code="unsupported_parameter", param=key)
    answer_form, schema = _form(form.get("response_format", {"type": "text"}))
    stream = _flag(form, "stream")
    return Asked(
        model=_text(form, "model"),
        conversation=read_conversation(form.get("messages"), form.get("tools")),
        temperature=_number(form, "temperature", 0.0, 2.0),
        top_p=_top_p(form),
        seed=_seed(form),
        max_tokens=_max_tokens(form),
        stop=_stop(form.get("stop", [])),
        stream=stream,
        include_usage=_include_usage(form, stream),
        form=answer_form,
        schema=schema,
        user=_user(form),
        metadata=_metadata(form.get("metadata")),
    )


def _neutral(key: str, value: Any) -> bool:
    """Whether it asks for what is done anyway; true is no 1, and 0 is not false."""
    asked = [one for one in NEUTRAL.get(key, ()) if one == value]
    return any(isinstance(one, bool) == isinstance(value, bool) for one in asked)


def _form(value: Any) -> tuple[Form, TheirSchema | None]:
    at = "response_format"
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text" or kind == "json_object":
        return kind, None
    if kind != "json_schema":
        raise invalid(f"{at}.type", "text, json_object or json_schema")
    written = value.get("json_schema")
    schema = written.get("schema") if isinstance(written, dict) else None
    if not isinstance(schema, dict):
        raise invalid(f"{at}.json_schema.schema", "a JSON Schema")
    return kind, TheirSchema(schema)


def _include_usage(form: Mapping[str, Any], stream: bool) -> bool:
    options = form.get("stream_options", {})
    if not isinstance(options, dict) or (options and not stream):
        raise invalid("stream_options", "an object, and only with `stream: true`")
    for key, value in options.items():
        neutral = key == "include_obfuscation" and value in (None, False)
        if key != "include_usage" and not neutral:
            raise Refusal(
                f"`stream_options.{key}` is not supported",
                code="unsupported_parameter",
                param=f"stream_options.{key}",
            )
    return _flag(options, "include_usage")


def _max_tokens(form: Mapping[str, Any]) -> int | None:
    given = {
        key: form[key]
        for key in ("max_completion_tokens", "max_tokens")
        if form.get(key) is not None
    }
    for key, value in given.items():
        if not _whole(value) or value < 1:
            raise invalid(key, "a whole number of 1 or more")
    if len(set(given.values())) > 1:
        raise invalid("max_tokens", "what `max_completion_tokens` is, or left out")
    return next(iter(given.values()), None)


def _seed(form: Mapping[str, Any]) -> int | None:
    value = form.get("seed")
    if value is not None and not _whole(value):
        raise invalid("seed", "a whole number")
    return None if value is None else int(value) % SEEDS


def _top_p(form: Mapping[str, Any]) -> float | None:
    value = _number(form, "top_p", 0.0, 1.0)
    if value == 0:
        raise invalid("top_p", "above 0; `temperature: 0` takes the likeliest token")
    return value


def _stop(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    texts = isinstance(listed, list) and all(isinstance(one, str) and one for one in listed)
    if not texts or len(listed) > STOPS:
        raise invalid("stop", f"a text or up to {STOPS} texts, none of them empty")
    if any(len(one) > LONGEST["stop"] for one in listed):
        raise invalid("stop", f"of texts of up to {LONGEST['stop']} characters")
    return tuple(listed)


def _user(form: Mapping[str, Any]) -> str | None:
    user = _text(form, "user") if "user" in form else None
    if user is not None and len(user) > LONGEST["user"]:
        raise invalid("user", f"a text of up to {LONGEST['user']} characters")
    return user


def _metadata(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    texts = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    if not texts or len(value) > WORDS_OF_METADATA:
        raise invalid("metadata", f"an object of up to {WORDS_OF_METADATA} texts")
    key, text = LONGEST["key"], LONGEST["value"]
    if any(len(name) > key or len(words) > text for name, words in value.items()):
        raise invalid("metadata", f"of keys up to {key} and texts up to {text} characters")
    return dict(value)


def _number(form: Mapping[str, Any], key: str, low: float, high: float) -> float | None:
    value = form.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(key, f"a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(form: Mapping[str, Any], key: str) -> bool:
    value = form.get(key)
    if value is not None and not isinstance(value, bool):
        raise invalid(key, "true or false")
    return bool(value)


def _text(form: Mapping[str, Any], key: str) -> str:
    value = form.get(key)
    if not isinstance(value, str) or not value:
        raise invalid(key, "a text")
    return value


def _listed(values: tuple[Json, ...]) -> str:
    return ", ".join(msgspec.json.encode(value).decode() for value in values)
