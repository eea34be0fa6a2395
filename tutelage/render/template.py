"""The chat template: a base model's own Jinja text, rendered as the hub's libraries render it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tutelage.core.conversation import Message
from tutelage.core.digest import Json
from tutelage.core.errors import ContractError

DEFAULT = "default"
WITH_TOOLS = "tool_use"  # the name the hub gives to a second template, for tools

# What a template written by somebody else may raise while it runs.
TEMPLATE_FAILURES = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class GenerationBlocks(Extension):
    """Reads `{% generation %} … {% endgeneration %}`; the block's text is written as it is."""

    tags = {"generation"}  # noqa: RUF012 (the name and kind Jinja reads)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class ChatTemplate:
    """Messages to text, with the date and the special tokens' names frozen.

    `texts` holds the template under `default` and, where the base has a second
    one for tools, under `tool_use`.
    Raises: ContractError where a text is no template.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        *,
        name: str,
        variables: Mapping[str, str],
        date: str,
        arguments: Mapping[str, Json] | None = None,
    ) -> None:
        self.texts = dict(texts)
        self.name = name
        self.variables = dict(variables)
        self.arguments = dict(arguments or {})  # such as `enable_thinking`
        self.date = date
        environment = _environment(datetime.fromisoformat(date))
        try:
            self._compiled = {key: environment.from_string(text) for key, text in texts.items()}
        except TemplateError as error:
            raise ContractError(
                f"no chat template: {error}", where=name, expected="a Jinja template"
            ) from error

    def render(
        self,
        messages: Sequence[Mapping[str, Json]],
        tools: Sequence[Mapping[str, Json]] = (),
        *,
        ask: bool,
    ) -> str:
        """The text of the messages; with `ask`, up to where the model answers.

        Raises: ContractError where the template refuses the messages.
        """
        key = WITH_TOOLS if tools and WITH_TOOLS in self._compiled else DEFAULT
        try:
            return self._compiled[key].render(
                **self.variables,
                **self.arguments,
                messages=list(messages),
                tools=list(tools) or None,
                documents=None,
                add_generation_prompt=ask,
            )
        except TEMPLATE_FAILURES as error:
            roles = " ".join(str(message["role"]) for message in messages)
            raise ContractError(
                f"the chat template cannot write this conversation: {error}",
                where=self.name,
                hint=f"its messages are: {roles}",
            ) from error


def template_form(message: Message) -> dict[str, Any]:
    """The message as chat templates read it: the shape of chat APIs, unset fields left out.

    Reasoning goes by both names that templates in use read.
    """
    form: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning is not None:
        form = {"thinking": message.reasoning, **form, "reasoning_content": message.reasoning}
    if message.tool_calls:
        form["tool_calls"] = [
            {
                "type": "function",
                **({} if call.id is None else {"id": call.id}),
                "function": {"name": call.name, "arguments": dict(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        form["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        form["name"] = message.name
    return form


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Plain JSON like `value`, with `change` made to each of its strings, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): mapped(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mapped(item, change) for item in value]
    return value


def _environment(moment: datetime) -> ImmutableSandboxedEnvironment:
    """The environment `apply_chat_template` uses, but for the clock, which stands still."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlocks, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = moment.strftime
    return environment


def _refuse(message: str) -> str:
    raise TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes <, > and &, which no model was trained on.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )
