"""Answers: taken from the store where the same prompts were answered before, else generated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.progress import Tick
from tutelage.core.recipe import Evaluate
from tutelage.core.sample import Sample
from tutelage.engine.continuations import logprobs_of
from tutelage.engine.grammar import schema_of
from tutelage.engine.protocol import Decoding, Engine, Prompt
from tutelage.evaluate.ladder import PromptedTask, Prompting, System, Weighing
from tutelage.evaluate.weigh import weighed_sample
from tutelage.render.continuation import cut_to
from tutelage.score.roster import FINISHED
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import SAMPLES, read_samples, write_samples
from tutelage.store.underway import Underway

VERSION = 3
LATENCY = "latency.json"  # of an artifact of samples: seconds of answers asked for alone
ALONE, ALONE_SECONDS = 20, 3.0  # so many answers are asked for alone, or for so long
ROWS = 16  # rows of a scoring batch are a part of `batch_tokens`: every token has its logits
DECODING = "evaluate.decoding"  # the stream answers are drawn under


class Bench(Protocol):
    """Where systems are tried: the contract, and an engine with the adapter or without."""

    @property
    def contract(self) -> Prompting:
        """How prompts are rendered."""

    @property
    def continuations(self) -> Weighing:
        """How what is weighed is rendered."""

    @property
    def computed(self) -> Mapping[str, str]:
        """On what device and in which precision, as they were resolved."""

    def digests(self, system: System) -> Mapping[str, str]:
        """What the system's weights are, by digest."""

    def engine(self, system: System) -> Engine:
        """An engine that answers as the system; the same one as long as it fits."""


@dataclass(slots=True, kw_only=True)
class Counter:
    """How many answers there are, of how many, and how fast those came that were asked for now."""

    total: int
    done: int = 0
    answered: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second of all suites and systems so far: one suite's first come in a lump."""
        return self.answered / max(1e-9, self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a system answered to a suite, unscored, in the tasks' order."""

    samples: list[Sample]
    latency: tuple[float, ...] = ()  # seconds of some of them, each asked for alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Answers the tasks of a suite as a system would, once."""

    section: Evaluate
    bench: Bench
    run: Run
    progress: Counter
    label: str = ""  # begins what is counted of its answers, where there are several models

    def answered(self, suite: str, system: System, asked: Sequence[PromptedTask]) -> Answered:
        """The system's answers.

        They are kept in the store under what they depend on: weights, prompts, decoding,
        device and precision. A new training leaves those of the baselines as they are.
        """
        weighed = any(one.lessons for one in asked)
        provenance = self._provenance(system, asked, weighed)
        found = None if self.run.force else self.run.store.find(provenance.key)
        if found is None:
            found = self._made(provenance, system, asked, weighed)
        else:
            self.progress.done += len(asked)
            self.run.progress.stage(f"evaluate.{suite}.{system.name}", "reused", found.name)
        return Answered(
            samples=read_samples(found.file(SAMPLES)),
            latency=() if weighed else tuple(read_json(found.file(LATENCY))["seconds"]),
        )

    def _made(
        self,
        provenance: Provenance,
        system: System,
        asked: Sequence[PromptedTask],
        weighed: bool,
    ) -> Artifact:
        store = self.run.store
        if weighed:
            with store.put(provenance) as draft:
                self._weigh(system, asked, draft)
            return draft.artifact
        with (
            Underway(store, provenance.key, anew=self.run.force) as underway,
            store.put(provenance) as draft,
        ):
            self._generate(system, asked, draft, underway)
        return draft.artifact

    def _provenance(
        self, system: System, asked: Sequence[PromptedTask], weighed: bool
    ) -> Provenance:
        prompts = strong_digest([[one.task.id, one.task.cluster, one.digest] for one in asked])
        inputs = {"contract": self.bench.contract.digest, **self.bench.digests(system)}
        section = {
            "samples": system.name,
            "prompts": prompts,
            "decoding": None if weighed else msgspec.to_builtins(self._decoding(system)),
            "batch_tokens": self.section.batch_tokens,
            "computed": dict(self.bench.computed),
        }
        return Provenance(kind="report", inputs=inputs, section=section, stage_version=VERSION)

    def _decoding(self, system: System) -> Decoding:
        """As the contract says; drawn answers are the same for the same recipe."""
        contract = self.bench.contract
        asked = contract.decoding
        held = json.dumps(schema_of(contract.output_schema)) if system.constrained else ""
        return Decoding(
            max_new_tokens=asked.max_new_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            seed=self.run.seed(DECODING) if asked.temperature > 0 else 0,
            stop=contract.stop_ids,
            schema=held,
        )

    def _generate(
        self, system: System, asked: Sequence[PromptedTask], draft: Draft, underway: Underway
    ) -> None:
        context = self.bench.contract.context
        # shortest first, as the engine goes: answers then come while it works
        order = sorted(asked, key=lambda one: (len(one.ids), one.task.id))
        fitting = [one for one in order if len(one.ids) < context]
        done = {one.task.id: _unanswered(one, system) for one in order[len(fitting) :]}
        decoding = self._decoding(system)
        prompts = {
            one.task.id: Prompt(ids=one.ids, messages=one.conversation.messages, name=one.task.id)
            for one in fitting
        }
        waiting = [one for one in fitting if one.task.id not in underway.known]
        done |= {task: one for task, one in underway.known.items() if task in prompts}
        tell = self._telling(len(done))
        engine = self.bench.engine(system) if prompts else None
        answers = (
            engine.generate([prompts[one.task.id] for one in waiting], decoding)
            if engine and waiting
            else iter(())
        )
        for one, answer in zip(waiting, answers, strict=True):
            sample = done[one.task.id] = Sample(
                task=one.task.id,
                cluster=one.task.cluster,
                system=system.name,
                seed=decoding.seed,
                prompt_digest=one.digest,
                answer=answer.text,
                scores={FINISHED.metric: float(answer.stop == "stop")},
                tokens=len(answer.ids),
                seconds=round(answer.seconds, 6),
            )
            underway.keep(sample)
            tell(1)
        write_samples(draft.folder / SAMPLES, [done[one.task.id] for one in asked])
        draft.counts["samples"] = len(asked)
        draft.counts["unanswered"] = len(order) - len(fitting)
        draft.counts["kept_from_before"] = len(fitting) - len(waiting)
        seconds = _alone(engine, list(prompts.values()), decoding) if engine else []
        (draft.folder / LATENCY).write_bytes(pretty({"seconds": seconds}))

    def _weigh(self, system: System, asked: Sequence[PromptedTask], draft: Draft) -> None:
        context = self.bench.continuations.context
        lessons = [cut_to(lesson, context) for one in asked for lesson in one.lessons]
        tell = self._telling(0)
        told = weighed = 0

        def heard(more: int) -> None:
            nonlocal told, weighed
            weighed += more
            tasks = len(asked) * weighed // len(lessons)
            tell(tasks - told)
            told = tasks

        began = time.monotonic()
        found = iter(
            logprobs_of(
                self.bench.engine(system).score,
                lessons,
                row_tokens=max(1, self.section.batch_tokens // ROWS),
                tell=heard,
            )
        )
        seconds = round((time.monotonic() - began) / max(1, len(asked)), 6)
        samples = []
        for one in asked:
            parts = [next(found) for _ in one.lessons]
            samples.append(weighed_sample(one, parts, system.name, seconds))
        write_samples(draft.folder / SAMPLES, samples)
        draft.counts["samples"] = len(asked)
        draft.counts["lessons"] = len(lessons)
        draft.counts["tokens"] = sum(map(len, lessons))

    def _telling(self, unanswered: int) -> Callable[[int], None]:
        self.progress.done += unanswered
        last = time.monotonic()

        def tell(more: int) -> None:
            nonlocal last
            now = time.monotonic()
            self.progress.seconds, last = self.progress.seconds + now - last, now
            self.progress.done += more
            self.progress.answered += more
            self.run.progress.tick(
                Tick(
                    stage="evaluate",
                    done=self.progress.done,
                    total=self.progress.total,
                    unit="answers",
                    figures={"answers_per_second": self.progress.rate},
                )
            )

        return tell


def _alone(engine: Engine, prompts: Sequence[Prompt], decoding: Decoding) -> list[float]:
    """Seconds of answers that share the machine with none: of prompts of every length.

    `prompts` are the shortest first.
    """
    count = min(ALONE, len(prompts))
    chosen = [prompts[(2 * place + 1) * len(prompts) // (2 * count)] for place in range(count)]
    began = time.monotonic()
    found: list[float] = []
    for prompt in chosen[::2] + chosen[1::2]:  # where time runs out, still of every length
        if found and time.monotonic() - began > ALONE_SECONDS:
            break
        found += [round(one.seconds, 6) for one in engine.generate([prompt], decoding)]
    return found


def _unanswered(one: PromptedTask, system: System) -> Sample:
    """A prompt that leaves no room for an answer has none: it fails, and is counted."""
    return Sample(
        task=one.task.id,
        cluster=one.task.cluster,
        system=system.name,
        seed=0,
        prompt_digest=one.digest,
        answer="",
        scores={FINISHED.metric: 0.0},
    )
