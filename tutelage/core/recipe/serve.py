"""`serve`: how a release answers, what is checked on the way, and what is kept of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tutelage.core.recipe.section import Section

Check = Literal["pii", "secrets", "schema"]
Action = Literal["flag", "redact", "block"]
Side = Literal["input", "output"]
Keep = Literal["text", "redacted", "nothing"]


class Guardrail(Section):
    """One check of requests or answers."""

    check: Check = Field(description="What is looked for; `schema` looks at answers alone.")
    side: Side = Field("output", description="Requests or answers.")
    action: Action = Field(
        "flag", description="Note it in the event, replace what was found, or answer nothing."
    )
    kinds: tuple[str, ...] = Field((), description="Findings that count, by kind; all if left out.")
    fail: Literal["closed", "open"] = Field(
        "closed",
        description="When the check itself breaks: block, or let through and count. `flag` holds "
        "no stream back: what was sent of a streamed answer stays sent, and it ends as filtered.",
    )


class Serve(Section):
    """Release to answers and Events."""

    model: str | None = Field(
        None, min_length=1, description="Name clients ask for; the recipe's name if left out."
    )
    client_system: Literal["refuse", "allow"] = Field(
        "refuse", description="A system message of the client's, where the contract has its own."
    )
    guardrails: tuple[Guardrail, ...] = Field((), description="Checks of requests and answers.")
    keep: Keep = Field(
        "redacted",
        description="What an event holds of the words: all, without PII and secrets, none. "
        "`metadata` is kept in each case, for `monitor.segments`; as it was sent only with `text`.",
    )
    batch: int = Field(8, ge=1, description="Answers computed side by side.")
    max_waiting: int = Field(64, ge=1, description="Requests that may wait; more are turned away.")
    timeout_seconds: float = Field(60.0, gt=0, description="Longest a request may wait and run.")
