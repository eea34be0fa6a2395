"""The Ledger: what was decided about each row, by which stage and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

READ_AS = ", read as "  # ends a detail, before the id that a row had when it was read


class Decision(StrEnum):
    """What became of a row."""

    KEEP = "keep"
    DROP = "drop"
    REVIEW = "review"
    REPORT = "report"
    REDACT = "redact"
    PSEUDONYMISE = "pseudonymise"
    TRUNCATE = "truncate"
    UNSUPERVISED = "unsupervised"


class Reason(StrEnum):
    """Why: every reason any stage may give."""

    # kept
    CLEAN = "clean"
    CANARY = "canary"  # planted by the recipe
    # reading
    INVALID_ENCODING = "invalid_encoding"
    INVALID_JSON = "invalid_json"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    MISSING_ORIGIN = "missing_origin"
    MISSING_LICENCE = "missing_licence"
    UNKNOWN_LICENCE = "unknown_licence"
    MISSING_GENERATOR = "missing_generator"
    MISSING_EDITOR = "missing_editor"
    # what may be used
    LICENCE_NOT_ALLOWED = "licence_not_allowed"
    GENERATOR_UNLICENSED = "generator_unlicensed"  # nobody says under what its answers are
    OPTED_OUT = "opted_out"
    # shape of the conversation
    NO_MESSAGES = "no_messages"
    INVALID_ROLE = "invalid_role"
    WRONG_ROLE_ORDER = "wrong_role_order"
    WRONG_LAST_ROLE = "wrong_last_role"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_RESPONSE = "empty_response"
    INVALID_TOOL_CALL = "invalid_tool_call"
    INVALID_OUTPUT = "invalid_output"
    CONFLICTING_LABEL = "conflicting_label"
    # drafts of a teacher, and people's review of them
    NO_ANSWER = "no_answer"
    INCONSISTENT = "inconsistent"
    ECHO = "echo"  # it says again what the teacher was told
    UNSEEN_SIGNS = "unseen_signs"  # control characters
    NOT_REVIEWED = "not_reviewed"
    STALE_REVIEW = "stale_review"
    FORGED_REVIEW = "forged_review"
    # findings in its texts
    PERSONAL_DATA = "personal_data"
    SECRET = "secret"
    INJECTION = "injection"
    TOXICITY = "toxicity"
    DETECTED = "detected"  # by a detector of the recipe
    # repeats and leaks
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    REPEATED_PROMPT = "repeated_prompt"
    REPEATED_ANSWER = "repeated_answer"
    LEAK_EXACT = "leak_exact"
    LEAK_NGRAM = "leak_ngram"
    LEAK_NEAR = "leak_near"
    ACROSS_SPLIT = "across_split"  # made from a row on the other side of the split
    OVER_LIMIT = "over_limit"
    NOT_MIXED = "not_mixed"
    # fitting and teaching
    TOO_LONG = "too_long"
    TRUNCATED = "truncated"
    NOTHING_TAUGHT = "nothing_taught"
    # training
    NOT_FINITE = "not_finite"
    LOSS_SPIKE = "loss_spike"
    # serving contract
    TEMPLATE_FAILED = "template_failed"
    FORGED_MARKER = "forged_marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One decision about one row.

    `row` is the row's id; a line that never became a row is named `uri:line`.
    `other_row` is the row it repeats or the evaluation item it leaks.
    """

    row: str
    stage: str
    decision: Decision
    reason: Reason
    detail: str = ""
    other_row: str | None = None

    @property
    def was(self) -> str:
        """The id under which the row was read, empty where it is not told."""
        return self.detail.rpartition(READ_AS)[2] if READ_AS in self.detail else ""


def tally(entries: Iterable[LedgerEntry]) -> dict[str, int]:
    """How many entries of each `decision.reason`, names sorted."""
    counts = Counter(f"{entry.decision}.{entry.reason}" for entry in entries)
    return dict(sorted(counts.items()))
