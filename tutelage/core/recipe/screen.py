"""`curate.screen`: what becomes of personal data, secrets and other findings in the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from tutelage.core.recipe.section import Section

Loc = tuple[str | int, ...]
ScreenAction = Literal["report", "review", "redact", "pseudonymise", "drop"]


class Detector(Section):
    """A detector behind an HTTP endpoint, such as a model that reads names and addresses."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="Its name in `actions`, the ledger and the card."
    )
    url: str = Field(
        pattern=r"^https?://[^\s@]+$",
        description='Is posted {"texts": [...]} and answers {"findings": [[{"start", "end", '
        '"kind", "score"}, ...], ...]}, a list a text; docs/curation.md.',
    )
    least_score: float = Field(0.5, ge=0, le=1, description="Findings scored lower are left out.")
    token_env: str | None = Field(
        None, min_length=1, description="Environment variable that holds its bearer token."
    )
    batch: int = Field(64, ge=1, description="Texts of one request.")
    timeout_seconds: float = Field(60.0, gt=0, description="Longest a request may take.")


class Screen(Section):
    """Findings in the rows: personal data, secrets, injection markers, and what detectors add."""

    actions: Mapping[str, ScreenAction] = Field(
        default_factory=dict,
        description="What becomes of findings, by kind (`email`) or by detector (`pii`, `secrets`, "
        "`injection`, an endpoint's name); the kind's own goes first, others are reported. "
        "`toxicity` looks only where it is named, or one of its kinds and no `detectors`.",
    )
    key_env: str | None = Field(
        None, min_length=1, description="Environment variable that holds the key of pseudonyms."
    )
    key_file: str | None = Field(
        None, min_length=1, description="File that holds it; relative to the recipe's folder."
    )
    detectors: tuple[Detector, ...] = Field((), description="Detectors behind HTTP endpoints.")

    def contradictions(self, *, keyed: bool = False) -> Iterator[tuple[Loc, str]]:
        """Places of this section that do not go together; `keyed` if the key is used elsewhere."""
        wanted = keyed or "pseudonymise" in self.actions.values()
        if self.key_env and self.key_file:
            yield ("key_file",), "the key is given twice; keep one of `key_env` and `key_file`"
        elif wanted and not (self.key_env or self.key_file):
            yield ("actions",), "`pseudonymise` needs a key: give `key_env` or `key_file`"
        elif not wanted and (self.key_env or self.key_file):
            place = "key_env" if self.key_env else "key_file"
            yield (place,), f"`{place}` has no effect: no action is `pseudonymise`"
        names = [one.name for one in self.detectors]
        for number, name in enumerate(names):
            if name in ("pii", "secrets", "injection", "toxicity") or name in names[:number]:
                yield ("detectors", number, "name"), f"a detector is called `{name}` already"
