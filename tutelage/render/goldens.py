"""Fixed conversations, rendered: what shows that a base still renders as it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.conversation import Conversation, Message, ToolCall
from tutelage.core.digest import Json
from tutelage.core.errors import ContractError
from tutelage.render.renderer import Renderer

WEATHER: Mapping[str, Json] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASKED = Message(role="user", content="Which is the largest planet?")

GOLDENS: Mapping[str, Conversation] = {
    "question": Conversation(messages=(ASKED,)),
    "system": Conversation(
        messages=(Message(role="system", content="Answer in one word."), ASKED),
    ),
    "turns": Conversation(
        messages=(
            Message(role="user", content="Good morning."),
            Message(role="assistant", content="Good morning! What can I do?"),
            Message(role="user", content='Count: 1, 2,\n  {"three": 3} \u00e9'),
        )
    ),
    "tools": Conversation(
        messages=(
            Message(role="user", content="Is it wet in Oslo?"),
            Message(
                role="assistant",
                content="",
                tool_calls=(ToolCall(name="weather", arguments={"city": "Oslo"}, id="callnumb1"),),
            ),
            Message(role="tool", content='{"rain": true}', tool_call_id="callnumb1"),
        ),
        tools=(WEATHER,),
    ),
    "reasoning": Conversation(
        messages=(
            Message(role="user", content="1 + 1?"),
            Message(role="assistant", content="2", reasoning="One and one make two."),
            Message(role="user", content="And once more?"),
        )
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One of the conversations as text and as the tokens the model is sent."""

    text: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]  # the vocabulary's own spelling of each id

    def to_dict(self) -> dict[str, Json]:
        """The golden as plain JSON."""
        return {"text": self.text, "ids": [*self.ids], "tokens": [*self.tokens]}


def goldens_of(renderer: Renderer, new_tokens: Sequence[str] = ()) -> dict[str, Golden | None]:
    """Every golden as rendered; None where the template refuses it.

    Where tokens were added, one more holds each of them, asked and answered.
    """
    every = dict(GOLDENS)
    if new_tokens:
        said = " ".join(new_tokens)
        turns = (
            Message(role="user", content=f"Say: {said}"),
            Message(role="assistant", content=said),
            ASKED,
        )
        every["new_tokens"] = Conversation(messages=turns)
    return {name: _golden(renderer, one) for name, one in every.items()}


def _golden(renderer: Renderer, conversation: Conversation) -> Golden | None:
    try:
        ids = renderer.prompts([conversation])[0]
    except ContractError:
        return None
    spelt = renderer.encoder.tokenizer.id_to_token
    text = renderer.encoder.decode(ids, special=True)
    return Golden(text=text, ids=ids, tokens=tuple(spelt(one) or "" for one in ids))
