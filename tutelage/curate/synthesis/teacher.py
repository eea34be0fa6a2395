"""The teacher at work: requests in the manner of the seeds, and several answers to each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from tutelage.core.conversation import Message
from tutelage.core.digest import Json, canonical, strong_digest
from tutelage.core.errors import TutelageError
from tutelage.core.ledger import Reason
from tutelage.core.progress import Progress, Tick
from tutelage.core.recipe import Synthesis
from tutelage.core.recipe.synthesis import ANSWER, REQUEST, SCHEMA
from tutelage.core.row import Example, Generator, Source
from tutelage.core.seeds import seed_of
from tutelage.curate.sides import request
from tutelage.curate.synthesis.ground import STREAM, systems
from tutelage.curate.synthesis.said import REFUSED, answer_key, no_words, words_said
from tutelage.score.endpoint import Endpoint, Unanswered
from tutelage.score.task import answer_text
from tutelage.store.replies import Reply

STAGE = "draft"
OF_DRAFT = "draft:"  # begins the uri of a draft: its seed and number follow
SEED_BITS = 31  # what every server takes
REFUSED_IN_A_ROW = 10  # different requests: the endpoint answers nobody, or nobody any more
DIGITS = 12
Form = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request to the teacher."""

    messages: tuple[Form, ...]
    seed: int

    @property
    def digest(self) -> str:
        """SHA-256 of what it is told."""
        return strong_digest(list(self.messages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of one seed: an Example, or why there is none."""

    name: str  # `draft:SEED-NUMBER`
    example: Example | None = None
    reason: Reason | None = None
    detail: str = ""
    alike: int = 0  # answers that are the one it has
    samples: int = 0


@dataclass(slots=True, kw_only=True)
class Tokens:
    """What all replies the drafts rest on came to, asked now or kept from before."""

    replies: int = 0
    refused: int = 0  # requests that the endpoint did not answer while it did others
    prompt: int = 0
    answer: int = 0

    def count(self, reply: Reply) -> None:
        """Adds one."""
        refused = reply.finish.startswith(REFUSED)
        self.refused += refused
        self.replies += not refused
        self.prompt += reply.prompt_tokens
        self.answer += reply.completion_tokens


@dataclass(slots=True, kw_only=True)
class Teaching:
    """The teacher of a recipe, asked for drafts from seeds."""

    keys: Synthesis
    endpoint: Endpoint
    root: int  # seed of the recipe
    schema: Json = None  # of the contract
    progress: Progress
    tokens: Tokens = field(default_factory=Tokens)
    _total: int = 0
    _failed: list[TutelageError] = field(default_factory=list)
    _refused: dict[str, Unanswered] = field(default_factory=dict)  # since the last reply, by ask
    _replied: bool = False

    def drafts(self, seeds: Sequence[Example]) -> list[Made]:
        """A draft for each seed and number, in order.

        A request that the endpoint refuses while it answers others is a draft without an answer.

        Raises: MissingCapability where the endpoint does not answer, or no more; what it said is
            kept.
        """
        written = self.keys.seeds.prompts is None
        slots = [
            (seed, number)
            for seed in seeds
            for number in range(self.keys.seeds.each if written else 1)
        ]
        self._total = len(slots) * (self.keys.samples + written)
        if not written:
            return self._answered(
                [(seed, self._name(seed, 0), request(seed), {}) for seed in seeds]
            )
        asks = [self._written(seed, number) for seed, number in slots]
        ready: list[tuple[Example, str, str, Form]] = []
        none: dict[str, Made] = {}
        for (seed, number), ask, reply in zip(slots, asks, self._replies(asks), strict=True):
            name, said = self._name(seed, number), words_said(reply)
            if problem := no_words(reply):
                told = f"the request it wrote is {problem}"
                none[name] = Made(name=name, reason=Reason.NO_ANSWER, detail=told)
            else:
                about: Form = {"request_prompt": ask.digest, "request_seed": ask.seed}
                ready.append((seed, name, said, about))
        self._total -= len(none) * self.keys.samples
        found = {made.name: made for made in self._answered(ready)} | none
        return [found[self._name(seed, number)] for seed, number in slots]

    def _name(self, seed: Example, number: int) -> str:
        return f"{OF_DRAFT}{seed.id[:DIGITS]}-{number + 1}"

    def _seed(self, *words: object) -> int:
        return seed_of(".".join(map(str, (STREAM, *words))), self.root) >> (63 - SEED_BITS)

    def _written(self, seed: Example, number: int) -> Ask:
        shown = {REQUEST: request(seed), ANSWER: answer_text(seed.messages[-1])}
        words = _filled(self.keys.instruction, shown)
        return Ask(
            messages=({"role": "user", "content": words},),
            seed=self._seed("request", seed.id, number),
        )

    def _answered(self, asked: Sequence[tuple[Example, str, str, Form]]) -> list[Made]:
        asks = [
            self._answer(seed, name, words, sample)
            for seed, name, words, _ in asked
            for sample in range(self.keys.samples)
        ]
        replies = list(self._replies(asks))
        samples = self.keys.samples
        found = []
        for place, (seed, name, words, about) in enumerate(asked):
            own = slice(place * samples, (place + 1) * samples)
            whence = (seed, about)
            found.append(self._made(name, _turns(seed, words), asks[own], replies[own], whence))
        return found

    def _answer(self, seed: Example, name: str, words: str, sample: int) -> Ask:
        guide = self.keys.guide
        if guide:
            guide = _filled(guide, {SCHEMA: canonical(self.schema).decode()})
        system = "\n\n".join([*systems(seed), *([guide] if guide else [])])
        told: list[Form] = [{"role": "system", "content": system}] if system else []
        return Ask(
            messages=(*told, {"role": "user", "content": words}),
            seed=self._seed("answer", name, sample),
        )

    def _made(
        self,
        name: str,
        turns: tuple[Message, ...],
        asks: Sequence[Ask],
        replies: Sequence[Reply],
        whence: tuple[Example, Form],
    ) -> Made:
        """The answer most of the samples give, where any of them is whole."""
        keys: list[str | None] = [answer_key(reply) for reply in replies]
        counts = Counter(key for key in keys if key is not None)
        if not counts:
            told = f"none of {len(replies)} answers is whole: {no_words(replies[0])}"
            return Made(name=name, reason=Reason.NO_ANSWER, detail=told, samples=len(replies))
        key, alike = counts.most_common(1)[0]
        chosen = keys.index(key)
        (seed, about), teacher = whence, self.keys.teacher
        parameters: Form = {
            "temperature": teacher.temperature,
            "max_new_tokens": teacher.max_new_tokens,
            "samples": len(replies),
            "alike": alike,
            **about,
        }
        example = Example(
            messages=(*turns, Message(role="assistant", content=words_said(replies[chosen]))),
            origin="synthetic",
            licence=joined(seed.licence, teacher.licence),
            source=Source(uri=name, line=0),
            consent_key=seed.consent_key,
            generator=Generator(
                model=teacher.model,
                prompt_digest=asks[chosen].digest,
                parameters=parameters,
                seed=asks[chosen].seed,
                licence=teacher.licence,
            ),
            parents=(seed.id,),
        )
        return Made(name=name, example=example, alike=alike, samples=len(replies))

    def _replies(self, asks: Sequence[Ask]) -> Iterator[Reply]:
        """The replies in the order asked, several requests under way together.

        Where it ends early, those under way are waited for: they are paid, and their replies kept.
        """
        pool = ThreadPoolExecutor(self.keys.teacher.at_once)
        try:
            for ask, one in zip(asks, [pool.submit(self._one, ask) for ask in asks], strict=True):
                reply = self._heard(ask, one)
                self.tokens.count(reply)
                self._tick()
                yield reply
        finally:
            pool.shutdown(cancel_futures=True)
        if self._refused and not self._replied:
            raise next(iter(self._refused.values()))

    def _heard(self, ask: Ask, answered: Future[Reply]) -> Reply:
        """The reply to a request, one without words where the endpoint refuses this one.

        Samples of one request count as one: that they are all refused says nothing of others.

        Raises: Unanswered where as many in a row were refused as tell that all will be.
        """
        try:
            reply = answered.result()
        except Unanswered as error:
            self._refused.setdefault(ask.digest, error)
            if len(self._refused) < REFUSED_IN_A_ROW:
                return Reply(digest="", text="", finish=f"{REFUSED}{error.message}")
            raise Unanswered(
                f"{REFUSED_IN_A_ROW} requests in a row were refused; of the last {error.message}",
                where=error.where,
                hint=error.hint,
            ) from error
        self._refused.clear()
        self._replied = True
        return reply

    def _one(self, ask: Ask) -> Reply:
        """The reply to one of them; after one that failed, none is asked for."""
        if self._failed:
            raise self._failed[0]
        try:
            return self.endpoint.complete(ask.messages, ask.seed)
        except Unanswered:
            raise
        except TutelageError as error:
            self._failed.append(error)
            raise

    def _tick(self) -> None:
        spent = self.endpoint.spent
        figures = {
            "asked": float(spent.asked),
            "tokens": float(self.tokens.prompt + self.tokens.answer),
        }
        tick = Tick(
            stage=STAGE,
            done=self.tokens.replies + self.tokens.refused,
            total=self._total,
            unit="replies",
            figures=figures,
        )
        self.progress.tick(tick)


def _turns(seed: Example, words: str) -> tuple[Message, ...]:
    """What stands before a draft's answer: the seed's system prompt, and the request."""
    before = tuple(one for one in seed.messages if one.role == "system")
    return (*before, Message(role="user", content=words))


def _filled(text: str, shown: Mapping[str, str]) -> str:
    """The text with words in the place of marks; marks in the words stay as they are."""
    marks = re.compile("|".join(map(re.escape, shown)))
    return marks.sub(lambda mark: shown[mark[0]], text)


def joined(*licences: str) -> str:
    """The licence of what is made of several things: all of them hold."""
    parts = [f"({one})" if " OR " in one else one for one in dict.fromkeys(licences)]
    return licences[0] if len(parts) == 1 else " AND ".join(parts)
