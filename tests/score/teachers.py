"""A teacher whose faults are known, behind an endpoint on loopback, and what it is asked with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

SEED = re.compile(r"<request>\n(.*?)\n</request>", re.S)
INTENTS = ("lost_card", "open_account", "close_account", "balance")
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": list(INTENTS)}},
    "required": ["intent"],
    "additionalProperties": False,
}
SYSTEM = "Name the intent."
CUT = "<cut off>"  # ends an answer the teacher did not end


def said(intent: str) -> str:
    """An answer as the contract wants it."""
    return json.dumps({"intent": intent})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What the teacher makes of one seed."""

    request: str
    answers: Sequence[str]
    fate: str  # the reason it goes or is flagged for; `clean` where there is none


@dataclass(slots=True, kw_only=True)
class Teacher:
    """Writes the planted request for a seed, and gives the planted answers in turn."""

    planted: Mapping[str, Planted]  # by the seed's request
    answered: dict[str, dict[int, int]] = field(default_factory=dict)
    counting: Lock = field(default_factory=Lock)

    def choice(self, body: Mapping[str, Any]) -> Mapping[str, object]:
        """A reply to a request of chat completions."""
        words = body["messages"][-1]["content"]
        found = SEED.search(words)
        if found is not None:
            text = self.planted[found[1]].request
        else:
            text = self._answer(words, body["seed"])
        content = text.removesuffix(CUT)
        return {
            "message": {"role": "assistant", "content": content},
            "finish_reason": "length" if text.endswith(CUT) else "stop",
        }

    def _answer(self, words: str, seed: int) -> str:
        """One of the planted answers: each seed of the draw has one of its own."""
        (one,) = {
            tuple(one.answers) for one in self.planted.values() if one.request.strip() == words
        }
        with self.counting:
            turn = self.answered.setdefault(words, {})
            return one[turn.setdefault(seed, len(turn)) % len(one)]


def project(folder: Path, planted: Mapping[str, Planted], endpoint: str, **changes: Any) -> Path:
    """A recipe whose seeds are the planted ones, beside further rows and a suite."""
    rows = [{"system": SYSTEM, "request": one, "answer": said("balance")} for one in planted]
    others = [
        {"system": SYSTEM, "request": one, "answer": said(intent)} for one, intent in OTHERS.items()
    ]
    suite = [{"system": SYSTEM, "request": LEAKED, "answer": said("balance")}]
    for name, forms in (("seeds", rows), ("others", others), ("test", suite)):
        text = "".join(json.dumps(form) + "\n" for form in forms)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    layout = {
        "format": "fields",
        "fields": {"system": "system", "user": "request", "assistant": "answer"},
    }
    human = {**layout, "origin": "human", "licence": "CC0-1.0"}
    synthesis = {
        "teacher": {
            "endpoint": endpoint,
            "model": "teacher-7",
            "licence": "Apache-2.0",
            "retries": 0,
            "prompt_price": 1000.0,
            "answer_price": 1e6,
        },
        "seeds": {"sources": ["seeds"], "count": 100},
        "guide": "Reply with JSON by this schema: {schema}",
        "rows": "data/synthetic.jsonl",
        **changes.pop("synthesis", {}),
    }
    written = {
        "name": "desk",
        "seed": 3,
        "contract": {"output_schema": "schema.json"},
        "curate": {
            "sources": [
                {"path": "seeds.jsonl", **human},
                {"path": "others.jsonl", **human},
                {
                    "path": "data/synthetic.jsonl",
                    "format": "row",
                    "origin": "synthetic",
                    "licence": "CC0-1.0",
                },
            ],
            "validation": 0.0,
            "licences": ["CC0-1.0", "Apache-2.0"],
            "screen": {"actions": {"secrets": "drop", "email": "redact"}},
            "review": {"reviewers": 2},
            "synthesis": synthesis,
            **changes,
        },
        "evaluate": {
            "suites": [{"name": "desk", "path": "test.jsonl", "scorers": ["json"], **layout}]
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(written), encoding="utf-8")  # JSON is YAML
    return path


LEAKED = "how much money is left for me to spend before the end of this long month"
NEAR = (
    "yesterday evening somebody took the blue card out of my coat in the old theatre and i want "
    "you to block it at once before anything is paid with it"
)
OTHERS = {
    "my wallet is gone": "lost_card",
    NEAR: "lost_card",
    "may i have a second account": "open_account",
    "please end my contract": "close_account",
}
MAIL = "write the figure to dora.lind@example.org as soon as you can"
TWICE = (said("balance"), '{ "intent" : "balance" }', said("balance"))
PLANTED = {
    "what do i have": Planted(
        request="tell me what is on my account today",
        answers=TWICE,
        fate="clean",
    ),
    "is there money left": Planted(
        request="could somebody look up whether my wages came in",
        answers=[said("balance"), said("lost_card"), said("balance")],
        fate="clean",
    ),
    "how rich am i": Planted(
        request="My  wallet is GONE", answers=[said("lost_card")], fate="exact_duplicate"
    ),
    "sum please": Planted(
        request=NEAR + " please", answers=[said("lost_card")], fate="near_duplicate"
    ),
    "show my balance": Planted(
        request=MAIL,
        answers=[said("balance")],
        fate="exact_duplicate",
    ),
    "balance now": Planted(request=LEAKED, answers=[said("balance")], fate="leak_exact"),
    "funds": Planted(
        request=f"a friend of mine wrote to me: {LEAKED}, and she is right to ask it of you",
        answers=[said("balance")],
        fate="leak_ngram",
    ),
    "my savings": Planted(
        request=MAIL,
        answers=[said("balance")],
        fate="personal_data",
    ),
    "cash at hand": Planted(
        request="my key " + "AKIA" + "IOSFODNN7EXAMPLE does not open the balance page",
        answers=[said("balance")],
        fate="secret",
    ),
    "what is mine": Planted(
        request="say what i own in your books", answers=[said("riches")], fate="invalid_output"
    ),
    "account state": Planted(
        request="do something about it for me",
        answers=[said("balance"), said("lost_card"), said("open_account")],
        fate="inconsistent",
    ),
    "my means": Planted(request="  ", answers=[said("balance")], fate="no_answer"),
    "my pennies": Planted(
        request="count what i put aside since spring",
        answers=['{"intent": "bal' + CUT],
        fate="no_answer",
    ),
    "the total": Planted(
        request="may i have a second account",
        answers=[said("lost_card")],
        fate="conflicting_label",
    ),
}
