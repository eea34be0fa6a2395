"""A small project whose answers are made up: everything real but the weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.artifact import Provenance
from tutelage.core.conversation import Conversation, Message
from tutelage.core.digest import Json
from tutelage.core.progress import Progress, StageState, Tick
from tutelage.core.recipe import Decoding, Recipe, loads
from tutelage.core.row import Example, Source
from tutelage.engine.fake import FakeEngine
from tutelage.engine.protocol import Decoding as Drawing
from tutelage.engine.protocol import Engine, Generation, Prompt
from tutelage.evaluate import stage
from tutelage.evaluate.ladder import System
from tutelage.render.lesson import Lesson
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.lines import METRICS
from tutelage.store.run import Run
from tutelage.store.tables import ROWS, write_rows

Answers = Mapping[str, Callable[[Prompt], str]]  # by system

TOOLS: Json = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {slot: {"type": "string"} for slot in slots},
                "additionalProperties": False,
            },
        },
    }
    for name, slots in {"Play": ["artist", "track"], "Rain": ["city"]}.items()
]

RECIPE = """
name: music
seed: 3
goals: [{id: calls, says: requests become calls, metric: calls.exact_match}]
contract: {output_schema: tools.json}
curate: {sources: [{path: train.jsonl, origin: human, licence: CC0-1.0}]}
train: {base: base}
evaluate:
  suites: [{name: calls, path: test.jsonl, scorers: [json, schema, call], slices: [intent, length]}]
  baselines: [zero_shot, few_shot]
  few_shot_examples: 2
gate:
  - calls.parse >= 0.5
  - calls.exact_match >= few_shot + 0.10
"""


def call(name: str, **arguments: Json) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def example(said: str, answer: str, *, split: str | None = "train", **tags: str) -> Example:
    return Example(
        messages=(Message(role="user", content=said), Message(role="assistant", content=answer)),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="train.jsonl", line=1),
        tags=tags,
        split=split,  # type: ignore[arg-type]
    )


def requests(count: int) -> list[tuple[str, str, str]]:
    """Words, expected answer and intent of so many different tasks."""
    found = []
    for index in range(count):
        if index % 2:
            city = f"City{index}"
            found.append((f"will it rain in {city}", call("Rain", city=city), "Rain"))
        else:
            artist = f"Artist{index}"
            found.append((f"play {artist}", call("Play", artist=artist), "Play"))
    return found


@dataclass(frozen=True, slots=True)
class FakeContract:
    """Prompts are the bytes of all that was said."""

    digest: str = "c" * 64
    context: int = 4000
    stop_ids: tuple[int, ...] = (0,)
    output_schema: Json = field(default_factory=lambda: TOOLS)
    decoding: Decoding = field(default_factory=lambda: Decoding(max_new_tokens=200))

    def prompts(self, conversations: Sequence[Conversation]) -> list[tuple[int, ...]]:
        texts = ["\n".join(turn.content for turn in one.messages) for one in conversations]
        return [tuple(text.encode()) for text in texts]


class FakeWeighing:
    """Lessons of bytes: what is asked, then the answer."""

    context = 4000

    def answered(self, pairs: Sequence[tuple[Conversation, str]]) -> list[Lesson]:
        texts = [("\n".join(turn.content for turn in one.messages), said) for one, said in pairs]
        return self.continued(texts)

    def continued(self, pairs: Sequence[tuple[str, str]]) -> list[Lesson]:
        return [
            Lesson(prompt=tuple(first.encode()), completion=tuple(rest.encode()))
            for first, rest in pairs
        ]

    def windows(self, text: str) -> list[Lesson]:
        return [Lesson(prompt=(0,), completion=tuple(text.encode()))]


class Recording(FakeEngine):
    """Keeps how it was told to draw."""

    def __init__(self, answer: Callable[[Prompt], str]) -> None:
        super().__init__(answer)
        self.decodings: list[Drawing] = []

    def generate(self, prompts: Sequence[Prompt], decoding: Drawing) -> Iterator[Generation]:
        self.decodings.append(decoding)
        return super().generate(prompts, decoding)


class FakeBench:
    """Answers by system, from functions of the prompt."""

    def __init__(
        self,
        answers: Answers,
        contract: FakeContract | None = None,
        adapter: str = "one",
        precision: str = "float32",
    ) -> None:
        self.contract = contract or FakeContract()
        self.continuations = FakeWeighing()
        self.adapter = adapter
        self.computed = {"device": "cpu", "precision": precision}
        self.engines = {name: Recording(answer) for name, answer in answers.items()}
        self.opened: list[str] = []

    def digests(self, system: System) -> Mapping[str, str]:
        return {"base": "b"} | ({"adapter": self.adapter} if system.tuned else {})

    def engine(self, system: System) -> Engine:
        self.opened.append(system.name)
        return self.engines[system.name]


class Heard:
    """Keeps what stages say."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, str]] = []
        self.ticks: list[Tick] = []
        self.warnings: list[str] = []

    def stage(self, name: str, state: StageState, note: str) -> None:
        self.stages.append((name, state))

    def tick(self, tick: Tick) -> None:
        self.ticks.append(tick)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def last_words(prompt: Prompt) -> str:
    return prompt.messages[-1].content


def oracle(count: int) -> Callable[[Prompt], str]:
    """Always right."""
    table = {words: answer for words, answer, _ in requests(count)}
    return lambda prompt: table[last_words(prompt)]


def never(prompt: Prompt) -> str:
    """Always wrong, and no JSON."""
    return "Sure! I can help."


@contextmanager
def project(
    folder: Path,
    *,
    recipe: str = RECIPE,
    count: int = 20,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
) -> Iterator[Run]:
    """An open run in a folder with a suite of so many tasks."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": words},
                {"role": "assistant", "content": answer},
            ],
            "intent": intent,
        }
        for words, answer, intent in requests(count)
    ]
    (folder / "test.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    (folder / "tools.json").write_text(json.dumps(TOOLS))
    whole: Recipe = loads(recipe, overrides=overrides).at(folder)
    with Run.open(whole, progress=progress) as run:
        yield run


def dataset(run: Run) -> Artifact:
    rows = [
        example("play Bach", call("Play", artist="Bach")),
        example("is Rome wet", call("Rain", city="Rome")),
        example("play Nina", call("Play", artist="Nina")),
        example("play Ella", call("Play", artist="Ella"), split="validation"),
    ]
    card = {
        "rows": {"read": 5, "kept": 4, "dropped": 1},
        "splits": {"train": 3, "validation": 1},
        "licences": {"CC0-1.0": 4},
        "origins": {"human": 4},
        "kept_clear_of": [{"suite": "calls", "path": "test.jsonl", "tasks": 20}],
        "left_out": {"exact_duplicate": 1},
        "for_review": {},
        "sources": [
            {
                "path": "train.jsonl",
                "sha256": "a" * 64,
                "licences": ["CC0-1.0"],
                "origins": ["human"],
                "read": 5,
                "rejected": 0,
                "kept": 4,
            }
        ],
    }
    with run.store.put(_made("dataset", {"source:train.jsonl": "a"})) as draft:
        write_rows(draft.folder / ROWS, rows)
        (draft.folder / "card.json").write_bytes(pretty(card))
    return draft.artifact


def adapter(run: Run, mark: str = "one") -> Artifact:
    with run.store.put(_made("adapter", {"mark": mark})) as draft:
        (draft.folder / "contract.json").write_bytes(pretty({"mark": mark}))
        lines = [{"step": step, "loss": 4 / step} for step in range(1, 41)]
        lines[-1]["validation_loss"] = 0.2
        (draft.folder / METRICS).write_text("\n".join(map(json.dumps, lines)) + "\n")
        draft.counts |= {"steps": 40, "tokens": 1000, "supervised_tokens": 400}
        draft.environment |= {"tokens_per_second": "5000", "peak_memory_mb": "900"}
    return draft.artifact


def report(run: Run, bench: FakeBench, *, mark: str = "one") -> Artifact:
    """The report of a run, as the door would make it but for the weights."""
    section = run.recipe.evaluate
    assert section is not None
    rows = dataset(run)
    from tutelage.store.tables import read_rows

    taught = read_rows(rows.file(ROWS))
    provenance = _made(
        "report",
        {"dataset": rows.digest, "adapter": adapter(run, mark).digest, "answers": bench.adapter},
    )
    return run.make(
        "evaluate",
        provenance,
        lambda draft: stage.build(section, taught, bench, run, draft),
    )


def _made(kind: str, inputs: Mapping[str, str]) -> Provenance:
    section = {"train": {"base": "tiny", "method": "full", "optimizer": "muon", "epochs": 2}}
    return Provenance(kind=kind, inputs=inputs, section=section, stage_version=1)  # type: ignore[arg-type]
