"""Random conversations, and what must hold of each: nothing forged, nothing lost."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.render.bases import example
from tests.render.families import FAMILIES, TOOL
from tutelage.core.conversation import Conversation, Message, ToolCall
from tutelage.core.digest import Json, ids_digest
from tutelage.core.recipe.serve import Serve
from tutelage.core.row import Example
from tutelage.engine.fake import FakeEngine
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.serve.answer import Answerer
from tutelage.serve.served import Served
from tutelage.store.journal import Journal

# One of each way to write a conversation.
TWENTY = (
    "chatqa",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "falcon-instruct",
    "gemma-it",
    "GigaChat3.1-10B-A1.8B",
    "GLM-4.6",
    "google-gemma-4-31B-it",
    "granite-3.0-instruct",
    "HuggingFaceTB-SmolLM3-3B",
    "llama-2-chat",
    "llama-cpp-rwkv-world",
    "meta-llama-Llama-3.1-8B-Instruct",
    "microsoft-Phi-3.5-mini-instruct",
    "mistralai-Mistral-Nemo-Instruct-2407",
    "moonshotai-Kimi-K2",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "Qwen-Qwen3-0.6B",
    "Qwen3-Coder",
    "Reka-Edge",
    "vicuna",
)
MARKERS = sorted(
    {one for family in FAMILIES.values() for one in (*family["special"], *family["words"])}
)
PLAIN = ("[INST]", "[/INST]", "<<SYS>>", "USER:", "\n\nAssistant:", "System: ", "user\n", "model\n")
EDGES = (
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "\u00a0",
    "\u200b",
    "<|",
    "|>",
    "</",
    "{",
    "}",
    '"',
    "\\",
)
LETTERS = (
    "the weather",
    "is it",
    "Z\u00fcrich",
    "\u65e5\u672c",
    "\U0001f642",
    "e\u0301",
    "1,2",
    "a",
)
CAUSE = re.compile(r"^chat template of small(, message \d+)?: |['\d].*", re.DOTALL)
DAYS: tuple[Json, ...] = (3, 1.5, True, None, [1, "a"])
HARMLESS = "0123456789abcdefghijklmnopqrstuvwxyz"


def conversation_of(number: int) -> Example:
    """The conversation of this number; the same on every machine."""
    draw = random.Random(number)
    with_tools = draw.random() < 0.2
    with_reasoning = draw.random() < 0.2
    messages: list[Message] = []
    if draw.random() < 0.35:
        messages.append(Message(role="system", content=_text(draw)))
    for _ in range(draw.choice((1, 1, 2, 3))):
        messages.append(Message(role="user", content=_text(draw, least=1)))
        if with_tools and draw.random() < 0.7:
            messages += _called(draw, with_reasoning)
        messages.append(_answer(draw, with_reasoning))
    return example(*messages, tools=(TOOL,) if with_tools else ())


@dataclass(slots=True)
class Tally:
    """What was found of one template."""

    taught: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    digests: dict[int, str] = field(
        default_factory=dict
    )  # of the prompts the last turns are taught

    def check(self, contract: Contract, numbers: Sequence[int]) -> None:
        """Renders the conversations and keeps what does not hold."""
        rows = [conversation_of(number) for number in numbers]
        calm = [_calmed(row) for row in rows]
        given = zip(rows, calm, strict=True)
        rendered = zip(contract.lessons_of(rows), contract.lessons_of(calm), strict=True)
        for number, (row, other), (found, twin) in zip(numbers, given, rendered, strict=True):
            if not found.lessons:
                assert found.entry is not None
                self.refused[CAUSE.sub("", found.entry.detail).split("(")[0][:60]] += 1
                continue
            self.taught += 1
            self.digests[number] = ids_digest(found.lessons[-1].prompt)
            if not twin.lessons:
                self.wrong.append(f"{number}: taught, but not in harmless words")
                continue
            for mine, theirs in zip(found.lessons, twin.lessons, strict=True):
                words = other.messages[mine.turn].content
                problem = _problem(contract, row, mine, theirs, words)
                if problem:
                    self.wrong.append(f"{number}, message {mine.turn}: {problem}")


def recorder(contract: Contract, name: str, folder: Path) -> Answerer:
    """A server's heart whose engine answers with the digest of the ids it was given."""
    served = Served(
        name=name,
        label=name,
        digest="0" * 64,
        base="small",
        section=Serve(),
        contract=contract,
        engine=FakeEngine(lambda prompt: ids_digest(prompt.ids)),
    )
    return Answerer(served, Journal.open(folder / "events.sqlite"))


def request_of(row: Example, model: str) -> dict[str, Any]:
    """The request a client sends for the row's last answer."""
    form: dict[str, Any] = {"model": model, "messages": list(_wire(row.messages[:-1]))}
    return form | ({"tools": [dict(tool) for tool in row.tools]} if row.tools else {})


def asked_of(row: Example) -> Conversation:
    """The same as a conversation."""
    return Conversation(messages=row.messages[:-1], tools=row.tools)


def _problem(contract: Contract, row: Example, mine: Lesson, other: Lesson, harmless: str) -> str:
    """What is wrong with a lesson, beside that of the same row in harmless words."""
    special = contract.renderer.encoder.special_ids
    if [at for at in mine.ids if at in special] != [at for at in other.ids if at in special]:
        return "a special token is forged or lost"
    message = row.messages[mine.turn]
    if message.reasoning is not None or message.tool_calls or not message.content.strip():
        return ""  # held by the proof of each lesson: their order is the template's
    said, calm = contract.decode(mine.completion), contract.decode(other.completion)
    before, _, after = calm.partition(harmless)
    inside = said.removeprefix(before).removesuffix(after)
    whole = said.startswith(before) and said.endswith(after)
    return "" if whole and inside.strip() == message.content.strip() else f"taught {said!r}"


def _text(draw: random.Random, least: int = 0) -> str:
    pools = (LETTERS, LETTERS, EDGES, MARKERS, PLAIN)
    words = [draw.choice(draw.choice(pools)) for _ in range(draw.randint(least, 6))]
    if draw.random() < 0.1:
        words.append(chr(draw.choice((0x7F, 0x3B1, 0x5D0, 0x2028, 0xFEFF, 0x1F9D1, 0xFFFD, 0x1))))
    return "".join(words)


def _answer(draw: random.Random, with_reasoning: bool) -> Message:
    reasoning = _text(draw) if with_reasoning and draw.random() < 0.7 else None
    return Message(role="assistant", content=_text(draw), reasoning=reasoning)


def _called(draw: random.Random, with_reasoning: bool) -> Iterator[Message]:
    ids = ["".join(draw.choice(HARMLESS) for _ in range(9)) for _ in range(draw.choice((1, 1, 2)))]
    calls = []
    for one in ids:
        days = {"days": draw.choice(DAYS)} if draw.random() < 0.4 else {}
        calls.append(ToolCall(name="weather", arguments={"city": _text(draw), **days}, id=one))
    reasoning = _text(draw) if with_reasoning else None
    content = _text(draw) if draw.random() < 0.3 else ""
    yield Message(role="assistant", content=content, reasoning=reasoning, tool_calls=tuple(calls))
    for one in ids:
        yield Message(role="tool", content=_text(draw, least=1), tool_call_id=one)


def _calmed(row: Example) -> Example:
    """The same conversation in harmless words; what was equal is equal still."""
    words: dict[str, str] = {}

    def calm(text: str) -> str:
        return words.setdefault(text, f"qx{len(words):03d}z") if text.strip() else text

    def called(call: ToolCall) -> ToolCall:
        city = calm(str(call.arguments["city"]))
        return ToolCall(name=call.name, arguments={**call.arguments, "city": city}, id=call.id)

    messages = [
        Message(
            role=message.role,
            content=calm(message.content),
            reasoning=None if message.reasoning is None else calm(message.reasoning),
            tool_calls=tuple(map(called, message.tool_calls)),
            tool_call_id=message.tool_call_id,
        )
        for message in row.messages
    ]
    return example(*messages, tools=row.tools)


def _wire(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    for message in messages:
        form: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.reasoning is not None:
            form["reasoning_content"] = message.reasoning
        if message.tool_calls:
            form["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            form["tool_call_id"] = message.tool_call_id
        yield form
