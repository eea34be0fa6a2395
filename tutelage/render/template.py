"""The chat template: a base model's own Jinja text, rendered as the hub's libraries render it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tutelage.core.conversation import Message, ToolCall
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


TAG = re.compile(r"\{%[-+]?\s*generation\b")
OPENED, CLOSED = "\ufdd1", "\ufdd2"  # noncharacters: where a generation block begins and ends

PROBED = "qz0000zq"  # plain words, which no template changes
PROBED_CALL = ToolCall(name="qz0001zq", arguments={"qz0002zq": "qz0003zq"}, id="qz0004zqz")
PROBED_TOOL: dict[str, Json] = {
    "type": "function",
    "function": {
        "name": "qz0001zq",
        "description": "A function.",
        "parameters": {
            "type": "object",
            "properties": {"qz0002zq": {"type": "string", "description": "A text."}},
            "required": ["qz0002zq"],
        },
    },
}


class GenerationBlocks(Extension):
    """Reads `{% generation %} … {% endgeneration %}`; the block's text is written as it is."""

    tags = {"generation"}  # noqa: RUF012 (the name and kind Jinja reads)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(self.framed(body)).set_lineno(line)

    def framed(self, body: list[nodes.Node]) -> list[nodes.Node]:
        """What is written of the block."""
        return body


class MarkedBlocks(GenerationBlocks):
    """The same, with a noncharacter before and after each block."""

    def framed(self, body: list[nodes.Node]) -> list[nodes.Node]:
        """What is written of the block."""
        opened, closed = (nodes.Output([nodes.TemplateData(one)]) for one in (OPENED, CLOSED))
        return [opened, *body, closed]


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
        self._compiled = self._environment(GenerationBlocks)
        tagged = any(TAG.search(text) for text in texts.values())
        self._marked = self._environment(MarkedBlocks) if tagged else {}
        self.text_arguments = self._wants_text()

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
        return self._render(self._compiled, messages, tools, ask)

    def answer_start(
        self, messages: Sequence[Mapping[str, Json]], tools: Sequence[Mapping[str, Json]] = ()
    ) -> int | None:
        """Where the last generation block begins in the text of the messages; None without one."""
        if not self._marked:
            return None
        text = self._render(self._marked, messages, tools, False)
        before, opened, _ = text.rpartition(OPENED)
        return len(before.replace(OPENED, "").replace(CLOSED, "")) if opened else None

    def form(self, message: Message) -> dict[str, Any]:
        """The message as this template reads it."""
        return message_form(message, text_arguments=self.text_arguments)

    def _render(
        self,
        compiled: Mapping[str, Template],
        messages: Sequence[Mapping[str, Json]],
        tools: Sequence[Mapping[str, Json]],
        ask: bool,
    ) -> str:
        key = WITH_TOOLS if tools and WITH_TOOLS in compiled else DEFAULT
        try:
            return compiled[key].render(
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

    def _environment(self, blocks: type[Extension]) -> dict[str, Template]:
        environment = _environment(datetime.fromisoformat(self.date), blocks)
        try:
            compiled = {key: environment.from_string(text) for key, text in self.texts.items()}
        except TemplateError as error:
            raise ContractError(
                f"no chat template: {error}", where=self.name, expected="a Jinja template"
            ) from error
        for template in compiled.values():
            # A chain of mappings, which every render would walk from Python.
            template.globals = dict(template.globals)
        return compiled

    def _wants_text(self) -> bool:
        """Whether it writes a call's arguments right as JSON text, and not as an object."""
        asked = Message(role="user", content=PROBED)
        called = Message(role="assistant", tool_calls=(PROBED_CALL,))
        ((key, value),) = PROBED_CALL.arguments.items()
        for text_arguments in (False, True):
            forms = [message_form(one, text_arguments=text_arguments) for one in (asked, called)]
            try:
                text = self.render(forms, [PROBED_TOOL], ask=False).partition(PROBED)[2]
            except ContractError:
                continue
            written = all(word in text for word in (PROBED_CALL.name, key, str(value)))
            if written and f"{key}'" not in text and f'{key}\\"' not in text:
                return text_arguments
        return False


def message_form(message: Message, *, text_arguments: bool = False) -> dict[str, Any]:
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
                "function": {"name": call.name, "arguments": arguments},
            }
            for call in message.tool_calls
            for arguments in [_tojson(call.arguments) if text_arguments else dict(call.arguments)]
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


def _environment(moment: datetime, blocks: type[Extension]) -> ImmutableSandboxedEnvironment:
    """The environment `apply_chat_template` uses, but for the clock, which stands still."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[blocks, loopcontrols]
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
