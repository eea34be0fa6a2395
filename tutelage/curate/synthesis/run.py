"""The door of `draft`: seeds in, drafts for people to review out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json
from tutelage.core.errors import RecipeError
from tutelage.core.ledger import Decision, LedgerEntry
from tutelage.core.recipe import Curate, Recipe, Screen, Synthesis
from tutelage.curate import screening
from tutelage.curate.runner import uncollected
from tutelage.curate.sources import digests, output_schema, suites_of
from tutelage.curate.synthesis.ground import STREAM, Drawn, before, draw, ground
from tutelage.curate.synthesis.sift import Draft as Drafted
from tutelage.curate.synthesis.sift import Sifted, drafts_of, sift
from tutelage.curate.synthesis.teacher import STAGE, Teaching
from tutelage.score.endpoint import Endpoint, Spent, cost_of
from tutelage.screen.people import mark
from tutelage.screen.screener import looking
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.ingest import digests_of, uri_of
from tutelage.store.replies import Replies
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import LEDGER, write_ledger

VERSION = 4  # raised when the same replies come to other drafts
DRAFTS = "drafts.jsonl"
SIFTED_OUT = "dropped.jsonl"
SUMMARY = "drafts.json"
REPLIES = "curate.teacher"  # no judge can have the name


def needed(recipe: Recipe) -> tuple[Curate, Synthesis]:
    """The sections drafting needs.

    Raises: RecipeError where one is missing.
    """
    section = recipe.curate
    if section is None or section.synthesis is None:
        raise RecipeError(
            f"recipe `{recipe.name}` has no section `curate.synthesis`, which this needs",
            hint="docs/synthesis.md shows one; `tutelage schema` prints its keys",
        )
    return section, section.synthesis


def run(section: Curate, run: Run) -> tuple[Artifact, Spent]:
    """The drafts of a recipe, and what asking for them cost now.

    Replies are kept as they come: killed and started again, the teacher is asked for what is
    missing only, and the drafts are those of an undisturbed run.

    Raises: RowError for files that are missing or rows that cannot be used; MissingCapability
        where the teacher does not answer.
    """
    spent = Spent()
    _, keys = needed(run.recipe)

    def build(draft: Draft) -> None:
        endpoint = Endpoint(keys.teacher, Replies.of(run.store, REPLIES), spent, keeps_cut=True)
        _build(section, run, draft, endpoint)

    with uncollected():
        return run.make(STAGE, provenance(section, keys, run), build), spent


def provenance(section: Curate, keys: Synthesis, run: Run) -> Provenance:
    """What decides the drafts, besides what the teacher says."""
    without = before(section, keys, run.recipe)
    form: dict[str, Any] = {
        "synthesis": keys.model_dump(mode="json", exclude={"rows"}),
        "screen": section.screen.model_dump(mode="json", exclude={"key_file"}),
        "key": mark(screening.ready(section.screen, run.recipe)),
        "duplicates": section.duplicates.model_dump(mode="json"),
        "coverage": section.leakage.coverage,
        "licences": section.licences,
        "sources": [
            {**one.model_dump(mode="json"), "path": uri_of(one.path)} for one in without.sources
        ],
        "suites": [one.name for one in suites_of(run.recipe)],
    }
    for name in ("at_once", "retries", "timeout_seconds", "api_key_env"):
        form["synthesis"]["teacher"].pop(name)
    prompts = keys.seeds.prompts
    files = [] if prompts is None else [("prompts", prompts.path)]
    if prompts is not None:
        form["synthesis"]["seeds"]["prompts"]["path"] = uri_of(prompts.path)
    return Provenance(
        kind="drafts",
        inputs=digests(without, run.recipe) | digests_of(files, run.recipe),
        section=form,
        stage_version=VERSION,
        seeds=run.seeds(STREAM),
    )


def _build(section: Curate, run: Run, draft: Draft, endpoint: Endpoint) -> None:
    _, keys = needed(run.recipe)
    schema = output_schema(run.recipe)
    held = ground(section, keys, run)
    drawn = draw(held, keys, run)
    if not drawn.seeds:
        told = ", ".join(f"{name} {count:,}" for name, count in drawn.left_out.items())
        raise RecipeError(f"no row can be a seed: {told}", where="curate.synthesis.seeds")
    teaching = Teaching(
        keys=keys,
        endpoint=endpoint,
        root=run.recipe.seed,
        schema=schema,
        progress=run.progress,
    )
    made = teaching.drafts(drawn.seeds)
    sifted = sift(made, held, keys, schema)
    drafts = drafts_of(sifted, made)
    form = _summary(drawn, len(made), sifted, drafts, teaching)
    form["detectors"] = detectors(section.screen)
    _write(draft, drafts, sifted, form)


def _write(draft: Draft, drafts: list[Drafted], sifted: Sifted, form: Mapping[str, Any]) -> None:
    (draft.folder / DRAFTS).write_bytes(lines(one.to_dict() for one in drafts))
    (draft.folder / SIFTED_OUT).write_bytes(lines(one.to_dict() for one in sifted.dropped))
    write_ledger(draft.folder / LEDGER, sifted.ledger())
    (draft.folder / SUMMARY).write_bytes(pretty(form))
    draft.counts |= {"made": form["made"], "open": form["open"], "seeds": form["seeds"]["drawn"]}
    draft.counts |= {f"dropped.{name}": count for name, count in form["dropped"].items()}
    draft.counts |= {"replies": form["spent"]["replies"]}


def detectors(section: Screen) -> list[dict[str, Json]]:
    """Which detectors have looked at drafts: those of rules, and endpoints with their address."""
    rules: list[dict[str, Json]] = [{"name": name, "by": "rules"} for name in looking(section)]
    asked: list[dict[str, Json]] = [
        {"name": one.name, "by": "endpoint", "url": one.url, "least_score": one.least_score}
        for one in section.detectors
    ]
    return rules + asked


def _summary(
    drawn: Drawn, made: int, sifted: Sifted, drafts: list[Drafted], teaching: Teaching
) -> dict[str, Any]:
    """Counts of the drafts, and what all their replies cost, whenever they were asked for."""
    tokens, teacher = teaching.tokens, teaching.keys.teacher
    flags = [one for one in sifted.ledger() if one.decision not in (Decision.DROP, Decision.KEEP)]
    return {
        "schema": 1,
        "teacher": {"model": teacher.model, "licence": teacher.licence},
        "seeds": {
            "drawn": len(drawn.seeds),
            "left_out": dict(drawn.left_out),
            "ids": [one.id for one in drawn.seeds],
        },
        "made": made,
        "dropped": _reasons(sifted.entries),
        "flagged": _reasons(flags),
        "open": len(drafts),
        "spent": {
            "replies": tokens.replies,
            "refused": tokens.refused,
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.answer,
            "cost": cost_of(teacher, tokens.prompt, tokens.answer),
        },
    }


def _reasons(entries: list[LedgerEntry]) -> dict[str, int]:
    return dict(sorted(Counter(str(one.reason) for one in entries).items()))


def lines(forms: Any) -> bytes:
    """JSON Lines of the forms."""
    return b"".join(msgspec.json.encode(form) + b"\n" for form in forms)


def read_drafts(artifact: Artifact) -> list[Drafted]:
    """The drafts people are to review."""
    written = artifact.file(DRAFTS).read_bytes().splitlines()
    return [Drafted.from_dict(msgspec.json.decode(line)) for line in written]


def read_summary(artifact: Artifact) -> dict[str, Json]:
    """What the drafts come to."""
    form: dict[str, Json] = read_json(artifact.file(SUMMARY))
    return form
