"""What is served: a release's names, its contract and an engine that answers as it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tutelage.core.conversation import Conversation, Message
from tutelage.core.digest import Json
from tutelage.core.errors import ContractError
from tutelage.core.recipe.serve import Serve
from tutelage.engine.protocol import Engine
from tutelage.render.contract import Contract
from tutelage.score.schema import Schema

PROBE = Conversation(messages=(Message(role="user", content="?"),))
TOOL: Mapping[str, Json] = {
    "type": "function",
    "function": {"name": "probe", "parameters": {"type": "object"}},
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is served: a release's own name and label, and what was opened of it."""

    name: str  # the recipe's
    label: str  # name@digest12
    digest: str
    base: str
    section: Serve
    contract: Contract
    engine: Engine

    @property
    def model(self) -> str:
        """The name clients ask for."""
        return self.section.model or self.name

    @cached_property
    def schema(self) -> Schema | None:
        """What the contract asks of answers."""
        asked = self.contract.output_schema
        return None if asked is None else Schema(asked)

    @cached_property
    def takes_tools(self) -> bool:
        """Whether the template writes tools into a prompt."""
        with_tools = Conversation(messages=PROBE.messages, tools=(TOOL,))
        try:
            without, told = self.contract.prompts([PROBE, with_tools])
        except ContractError:
            return False
        return told != without
