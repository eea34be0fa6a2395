"""The text the embedded base learns from: each source read as documents, held-out parts apart."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tutelage.bases.vocabulary import STOP, chat


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text to learn, and the words its hash is taken of."""

    text: str  # without the closing end-of-text marker
    key: str  # documents with equal keys stand on the same side
    share: float  # of keys held out


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a component's text comes from, for the model card."""

    path: str  # inside the data folder
    licence: str
    attribution: str


SGD = "Schema-Guided Dialogue, Google (google-research-datasets/dstc8-schema-guided-dialogue)"
BOOKS = tuple(
    Source(
        path=f"pretrain/books-0000{part}-of-00004.jsonl.gz",
        licence="Public domain",
        attribution="classic books, text by mlschmitt/classic-books-markdown",
    )
    for part in range(4)
)
DIALOGUES = Source(path="pretrain/dialogues_sgd.jsonl.gz", licence="CC-BY-SA-4.0", attribution=SGD)
SOURCES: dict[str, tuple[Source, ...]] = {
    "books": BOOKS,
    "story": (
        Source(
            path="pretrain/storybooks.jsonl.gz",
            licence="CC-BY-3.0/4.0 and public domain, per story",
            attribution="Pratham Books StoryWeaver, African Storybook",
        ),
    ),
    "sgd": (DIALOGUES,),
    "sgd_chat": (DIALOGUES,),
    "topical": (
        Source(
            path="pretrain/dialogues_topical_chat.jsonl.gz",
            licence="CDLA-Sharing-1.0",
            attribution="Topical-Chat, Amazon (alexa/Topical-Chat)",
        ),
    ),
    "onestop": (
        Source(
            path="onestop_english/articles.jsonl.gz",
            licence="CC-BY-SA-4.0",
            attribution="OneStopEnglish (nishkalavallabhi/OneStopEnglishCorpus)",
        ),
    ),
    "calls": (Source(path="sgd_calls/train.jsonl.gz", licence="CC-BY-SA-4.0", attribution=SGD),),
    "trivia": (
        Source(
            path="opentrivia/opentrivia.jsonl.gz",
            licence="CC-BY-SA-4.0",
            attribution="OpenTriviaQA (uberspot/OpenTriviaQA)",
        ),
    ),
    "dolly": (
        Source(
            path="dolly_6k/dolly_first6400.jsonl.gz",
            licence="CC-BY-SA-3.0",
            attribution="databricks-dolly-15k, Databricks (part)",
        ),
    ),
    "taskmaster": (
        Source(
            path="taskmaster4/tm4.jsonl.gz",
            licence="CC-BY-4.0",
            attribution="Taskmaster-4, Google (google-research-datasets/Taskmaster)",
        ),
    ),
    "seed": (
        Source(
            path="self_instruct_seed/seed_tasks.jsonl",
            licence="Apache-2.0",
            attribution="Self-Instruct seed tasks (yizhongw/self-instruct)",
        ),
    ),
}

HELD_OUT = {"dolly": 0.1, "trivia": 0.1, "taskmaster": 0.1, "onestop": 0.1}  # the rest: 1 %
BLANKS = re.compile("[\ufeff\u200b\u00ad]")  # marks of typesetting that teach nothing


def held_out(document: Document) -> bool:
    """Whether the document is never trained on: the hash of its key falls in the first share."""
    digest = hashlib.blake2b(document.key.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < document.share * 2**64


def documents(component: str, data: Path, seed: int) -> Iterator[Document]:
    """Every document of a component, held-out ones included, in the order of its files."""
    draw = Random(f"{seed} {component}")
    share = HELD_OUT.get(component, 0.0 if component == "seed" else 0.01)
    for source in SOURCES[component]:
        for row in rows(data / source.path):
            for key, text in SHAPES[component](row, draw):
                clean = BLANKS.sub("", text).strip()
                closed = clean + "\n" if clean.endswith(STOP) else clean
                yield Document(text=closed, key=key, share=share)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a `.jsonl` or `.jsonl.gz` file."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


Shape = Iterator[tuple[str, str]]


def plain(row: dict[str, Any], draw: Random) -> Shape:
    text = row["text"]
    yield text, text


def article(row: dict[str, Any], draw: Random) -> Shape:
    """An article keyed by its name: its three reading levels stand on the same side."""
    yield row["article"], row["text"]


def dialogue(row: dict[str, Any], draw: Random) -> Shape:
    if row["id"].startswith("train"):
        yield row["id"], row["text"]


def dialogue_turns(row: dict[str, Any], draw: Random) -> Shape:
    if not row["id"].startswith("train"):
        return
    turns = []
    for line in row["text"].split("\n"):
        role, _, content = line.partition(": ")
        if role not in ("User", "Assistant"):
            return
        turns.append((role.lower(), content))
    yield row["id"], chat(turns)


CALL_WISHES = (
    "Reply with the function call that serves the user now.",
    "Write the next API call as JSON.",
    "You call services for the user. Output one call.",
    "Give the call to make at this point of the conversation, as one JSON object.",
    "Answer with a call and nothing else.",
)


def call(row: dict[str, Any], draw: Random) -> Shape:
    """A conversation and its call; alone the last turn where that says every value."""
    key = row["id"].rsplit("-", 1)[0]
    arguments = json.loads(row["output"])["arguments"]
    turns = [(turn["role"], turn["content"]) for turn in row["history"]]
    values = [str(value) for value in arguments.values()]
    said = " ".join(content for _, content in turns)
    missing = sum(value not in said for value in values)
    if missing > 1 or (missing and draw.random() < 0.5):
        return  # most calls must teach copying, not guessing
    if values and all(value in turns[-1][1] for value in values) and draw.random() < 0.7:
        turns = turns[-1:]
    if draw.random() < 0.6:
        turns.insert(0, ("system", draw.choice(CALL_WISHES)))
    yield key, chat([*turns, ("assistant", row["output"])])


def mended(text: str) -> str:
    """Text without the scars of UTF-8 once read as Windows-1252 (`â€™` for an apostrophe)."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def trivia(row: dict[str, Any], draw: Random) -> Shape:
    choices = [mended(choice).strip() for choice in row["choices"]]
    right, question = choices[row["answer"]], mended(row["question"]).strip()
    kind = draw.random()
    if kind < 0.5:
        asked, answer = f"{question}\n" + "\n".join(f"- {c}" for c in choices), right
    elif kind < 0.7:
        letters = "ABCDEFGH"
        asked = f"{question}\n" + "\n".join(
            f"{a}. {c}" for a, c in zip(letters, choices, strict=False)
        )
        answer = f"{letters[row['answer']]}. {right}"
    else:
        asked, answer = question, right
    yield question, chat([("user", asked), ("assistant", answer)])


def dolly(row: dict[str, Any], draw: Random) -> Shape:
    if not row["context_missing"]:
        asked, answer = row["instruction"].strip(), row["response"].strip()
        yield asked, chat([("user", asked), ("assistant", answer)])


def seed_task(row: dict[str, Any], draw: Random) -> Shape:
    for instance in row["instances"]:
        asked = "\n\n".join(
            part for part in (row["instruction"], instance["input"].strip()) if part
        )
        yield asked, chat([("user", asked), ("assistant", instance["output"].strip())])


def order(row: dict[str, Any], draw: Random) -> Shape:
    """A dialogue in which each annotated call and its response stand as turns of their own."""
    turns: list[tuple[str, str]] = []
    for utterance in row["utterances"]:
        turns.append((utterance["speaker"], utterance["text"].strip()))
        name = ""
        for note in utterance["annotations"]:
            if note["name"] == "api_call":
                name = note["value"]
            elif note["name"] == "request" and name:
                turns.append(
                    ("assistant", f'{{"name": "{name}", "arguments": {tidy(note["value"])}}}')
                )
            elif note["name"] == "response":
                turns.append(("tool", tidy(note["value"])))
    key = "\n".join(utterance["text"] for utterance in row["utterances"])
    if all(role in ("user", "assistant", "tool") and content for role, content in turns):
        yield key, chat(turns)


def tidy(text: str) -> str:
    """JSON spaced the one way the base writes it; other text as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text.strip()


SHAPES = {
    "books": plain,
    "story": plain,
    "sgd": dialogue,
    "sgd_chat": dialogue_turns,
    "topical": plain,
    "onestop": article,
    "calls": call,
    "trivia": trivia,
    "dolly": dolly,
    "taskmaster": order,
    "seed": seed_task,
}
