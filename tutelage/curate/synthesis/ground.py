"""What drafts are made from and must keep clear of: rows, evaluation items, and the seeds drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tutelage.core.digest import short_digest
from tutelage.core.errors import RecipeError
from tutelage.core.ledger import LedgerEntry
from tutelage.core.recipe import Curate, Prompts, Recipe, SourceFile, Synthesis
from tutelage.core.row import Example
from tutelage.curate import screening
from tutelage.curate.decontaminate import leaks
from tutelage.curate.reviewed import Admission, held
from tutelage.curate.sources import (
    FIX_SOURCE,
    Asked,
    read_benchmarks,
    read_prompts,
    read_suites,
)
from tutelage.curate.synthesis.looks import found_in, not_allowed
from tutelage.screen.screener import Screener
from tutelage.store.ingest import parts_of, read_examples, rows_error, same_file
from tutelage.store.ingest.files import MAGIC
from tutelage.store.run import Run

STREAM = "curate.synthesis"
UNUSABLE = "not one request"  # of seeds: several turns, tools, or no answer where one is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """All that drafts are held against, read once."""

    section: Curate  # without the file of reviewed drafts
    key: bytes  # of pseudonyms
    rows: Mapping[str, Sequence[Example]]  # by source, as they may be used
    suites: Sequence[Asked]
    left_out: Mapping[str, Counter[str]]  # rows that are no seeds, by source and reason

    @property
    def every(self) -> list[Example]:
        """The rows of all sources."""
        return [example for rows in self.rows.values() for example in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The seeds, and what was left out of them by reason."""

    seeds: Sequence[Example]
    left_out: Mapping[str, int]


def before(section: Curate, keys: Synthesis, recipe: Recipe) -> Curate:
    """The section as it is without what comes of the drafts themselves.

    Raises: RecipeError where seeds are to be drawn from that.
    """
    sources = tuple(one for one in section.sources if not reads_drafts(one, keys, recipe))
    if among := [one.path for one in sources if _among(one, keys, recipe)]:
        raise RecipeError(
            f"`{among[0]}` reads the file of reviewed drafts among others",
            where="curate.sources",
            hint=f"leave it out of the pattern or folder, and name `{keys.rows}` by itself",
        )
    called = {one.called for one in sources}
    if own := [name for name in keys.seeds.sources if name not in called]:
        raise RecipeError(
            f"source `{own[0]}` is the file of reviewed drafts, of which none can be a seed",
            where="curate.synthesis.seeds.sources",
        )
    return section.model_copy(update={"sources": sources})


def reads_drafts(source: SourceFile, keys: Synthesis, recipe: Recipe) -> bool:
    """Whether a source is the file of reviewed drafts, by whatever path."""
    return same_file(recipe.path(source.path), recipe.path(keys.rows))


def _among(source: SourceFile, keys: Synthesis, recipe: Recipe) -> bool:
    """Whether a pattern or a folder leads to the file of reviewed drafts, besides others."""
    path, rows = recipe.path(source.path), recipe.path(keys.rows)
    if path.is_file() or not (path.is_dir() or MAGIC.search(source.path)):
        return False
    return any(same_file(part.path, rows) for part in parts_of(source.path, recipe))


def ground(section: Curate, keys: Synthesis, run: Run) -> Ground:
    """Rows and evaluation items as curation has them, personal data taken out as it would.

    Rows that curation would leave out for licence, opt-out or a finding are none of a teacher's
    business either.
    """
    without = before(section, keys, run.recipe)
    key = screening.ready(section.screen, run.recipe)
    through = partial(held, admission=Admission.by(section, run.recipe))
    files = [read_examples(one, run.recipe, through=through) for one in without.sources]
    if section.invalid == "fail" and any(file.refused for file in files):
        raise rows_error(files, "taught", FIX_SOURCE)
    called = [
        source.called
        for source, file in zip(without.sources, files, strict=True)
        for _ in file.examples
    ]
    every = [example for file in files for example in file.examples]
    kept, gone = usable(every, without, key, run)  # together: one may be made from another
    rows: dict[str, list[Example]] = {source.called: [] for source in without.sources}
    left_out: dict[str, Counter[str]] = {name: Counter() for name in rows}
    for place, name in enumerate(called):
        if place in gone:
            left_out[name][str(gone[place].reason)] += 1
        else:
            rows[name].append(kept[place])
    asked = [*read_suites(run.recipe), *read_benchmarks(section, run.recipe)]
    suites = screening.screened(asked, Screener(section.screen, key))
    return Ground(section=without, key=key, rows=rows, suites=suites, left_out=left_out)


def usable(
    examples: Sequence[Example], section: Curate, key: bytes, run: Run
) -> tuple[list[Example], dict[int, LedgerEntry]]:
    """The rows as the screen leaves them, and which of them licence, consent or it keep out."""
    looked = found_in(examples, section.screen, key)
    return looked.examples, looked.drop | not_allowed(examples, looked, section, run.recipe, key)


def draw(ground: Ground, keys: Synthesis, run: Run) -> Drawn:
    """The seeds: so many rows, chosen by a seeded hash of each, none of them a leak.

    More of them are the same ones and others; a row that is added moves none but the last.
    """
    pool, left_out = _pool(ground, keys, run)
    root = run.seed(STREAM)
    ordered = sorted(pool, key=lambda one: short_digest(f"{root}:{one.id}".encode()))
    drawn = ordered[: keys.seeds.count]
    found = leaks(drawn, list(ground.suites), ground.section)
    left_out.update(str(told.reason) for told in found.drop.values())
    seeds = [one for place, one in enumerate(drawn) if place not in found.drop]
    return Drawn(seeds=seeds, left_out=dict(sorted(left_out.items())))


def _pool(ground: Ground, keys: Synthesis, run: Run) -> tuple[list[Example], Counter[str]]:
    prompts = keys.seeds.prompts
    if prompts is None:
        named = [one for name in keys.seeds.sources for one in ground.rows[name]]
        left_out = sum((ground.left_out[name] for name in keys.seeds.sources), Counter[str]())
    else:
        named, left_out = _asked(prompts, ground, run)
    found: dict[str, Example] = {}
    for one in named:
        seed = as_prompt(one) if prompts is not None else one
        if seed is None or (prompts is None and not shows_an_answer(one)):
            left_out[UNUSABLE] += 1
        else:
            found.setdefault(seed.id, seed)
    return list(found.values()), left_out


def _asked(prompts: Prompts, ground: Ground, run: Run) -> tuple[list[Example], Counter[str]]:
    """The requests of the file, which say themselves only what they ask."""
    read_in = [replace(one, licence=prompts.licence) for one in read_prompts(prompts, run.recipe)]
    rows, gone = usable(read_in, ground.section, ground.key, run)
    kept = [one for place, one in enumerate(rows) if place not in gone]
    return kept, Counter(str(told.reason) for told in gone.values())


def shows_an_answer(example: Example) -> bool:
    """Whether a row is one request in words and its answer in words."""
    roles = [message.role for message in example.messages if message.role != "system"]
    plain = not example.tools and not example.messages[-1].tool_calls
    return roles == ["user", "assistant"] and plain and not example.chosen


def as_prompt(example: Example) -> Example | None:
    """A row that is one request, without its answer; None where it is more than that."""
    turns = tuple(one for one in example.messages if one.role != "assistant")
    roles = [message.role for message in turns if message.role != "system"]
    if roles != ["user"] or example.tools or example.chosen:
        return None
    return replace(example, messages=turns, id="")


def systems(example: Example) -> Iterator[str]:
    """The system prompts of a seed, which its drafts have as well."""
    for message in example.messages:
        if message.role == "system":
            yield message.content
