"""Forty chat templates of real models, and the conversations each is asked to write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import AddedToken

from tests.render.bases import (
    GOLDEN,
    assistant,
    base_of,
    byte_level,
    contract_of,
    example,
    system,
    user,
)
from tutelage.core.conversation import Conversation, Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.contract import Contract
from tutelage.store.base import BaseFolder

FAMILIES: dict[str, dict[str, Any]] = json.loads(
    (GOLDEN / "families.json").read_text(encoding="utf-8")
)
CONTEXT = 1 << 17
TABLE = GOLDEN / "renderings.json"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather <now> & \u00e9",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Where"}},
            "required": ["city"],
        },
    },
}
CALL = ToolCall(name="weather", arguments={"city": "Z\u00fcrich <b>"}, id="abcdefghi")
OTHER = ToolCall(name="weather", arguments={"city": "Bern", "days": 3}, id="jklmnopqr")
ASKED = user("Which is the largest planet?")
TOLD = assistant("It is Jupiter.")
RESULT = Message(role="tool", content='{"t": 3}', tool_call_id="abcdefghi", name="weather")
SECOND = Message(role="tool", content="rain", tool_call_id="jklmnopqr", name="weather")
CALLED = assistant("", tool_calls=(CALL,))

# Each ends in a turn that is taught; what stands before it is what is served.
KINDS: dict[str, Conversation] = {
    "single": Conversation(messages=(ASKED, TOLD)),
    "turns": Conversation(
        messages=(ASKED, TOLD, user("  And  the\n\nsmallest? "), assistant("Mercury."))
    ),
    "system": Conversation(messages=(system("Answer in few words."), ASKED, TOLD)),
    "system later": Conversation(
        messages=(ASKED, TOLD, system("Now be brief."), user("Why?"), assistant("Its mass."))
    ),
    "reasoning": Conversation(
        messages=(
            user("1+1?"),
            assistant("Two.", reasoning="One and one."),
            user("2+2?"),
            assistant("Four.", reasoning="Twice two."),
        )
    ),
    "call": Conversation(messages=(user("Weather?"), CALLED), tools=(TOOL,)),
    "result": Conversation(
        messages=(user("Weather?"), CALLED, RESULT, assistant("Three degrees.")), tools=(TOOL,)
    ),
    "two calls": Conversation(
        messages=(
            user("Weather in both?"),
            assistant("I look.", tool_calls=(CALL, OTHER)),
            RESULT,
            SECOND,
            assistant("Cold, and rain."),
        ),
        tools=(TOOL,),
    ),
    "reasoning and call": Conversation(
        messages=(
            user("Weather?"),
            assistant("", reasoning="I must look.", tool_calls=(CALL,)),
            RESULT,
            assistant("Three degrees.", reasoning="It says so."),
        ),
        tools=(TOOL,),
    ),
    "user twice": Conversation(messages=(user("First, hello."), user("Who are you?"), TOLD)),
    "assistant first": Conversation(messages=(assistant("Welcome!"), user("Thanks."), TOLD)),
    "assistant twice": Conversation(messages=(ASKED, TOLD, assistant("Not Saturn."))),
}


def family_base(folder: Path, name: str, tokenizer: Any = None) -> BaseFolder:
    """A base with this family's template and a tokenizer that has its markers."""
    family = FAMILIES[name]
    tokenizer = tokenizer or byte_level()
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in family["special"]])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in family["words"]])
    base = base_of(
        folder,
        template=(GOLDEN / f"{name}.jinja").read_text(encoding="utf-8"),
        markers=(),
        end=family["end"],
        begin=family["begin"],
        tokenizer=tokenizer,
    )
    return replace(base, config={"max_position_embeddings": CONTEXT})


def family_contract(folder: Path, name: str, **section: Any) -> Contract:
    """The contract on that base, with the arguments the template cannot do without."""
    arguments = FAMILIES[name].get("arguments", {})
    return contract_of(family_base(folder, name), arguments=arguments, **section)


def renderings(folder: Path, name: str) -> dict[str, str]:
    """What becomes of each kind of conversation: how many lessons, or why there are none."""
    try:
        contract = family_contract(folder, name)
    except ContractError as error:
        return {"opening": f"refused: {error.message}"}
    found = {}
    for kind, conversation in KINDS.items():
        (one,) = contract.lessons_of([example(*conversation.messages, tools=conversation.tools)])
        entry = one.entry
        found[kind] = f"refused: {entry.detail}" if entry else f"{len(one.lessons)} lessons"
    return found | {"forgeable": " ".join(contract.renderer.forgeable)}


def main() -> None:
    """Writes the golden table: `python -m tests.render.families`."""
    with TemporaryDirectory() as folder:
        table = {name: renderings(Path(folder) / name, name) for name in FAMILIES}
    TABLE.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
