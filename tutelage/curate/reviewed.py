"""Synthetic rows, held against the review the recipe demands before anything is made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.ledger import Reason
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.review import Held, key_mark, problem
from tutelage.core.row import Example, draft_digest, reviewed_digest
from tutelage.curate.quality_card import cell
from tutelage.curate.synthesis.latest import of_curation, told
from tutelage.screen.people import key_in
from tutelage.store.ingest import Part, Refused, Rows, same_file
from tutelage.store.run import Run

REASONS = {
    "few": Reason.NOT_REVIEWED,
    "stale": Reason.STALE_REVIEW,
    "forged": Reason.FORGED_REVIEW,
}


def review_key(section: Curate) -> bytes:
    """The key that seals reviews, empty where the recipe names none.

    Raises: RecipeError for a key that is not there, or too short.
    """
    return (
        b"" if section.review.key_env is None else key_in(section.review.key_env, "curate.review")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Lets rows in whose reviews are what a recipe demands.

    A row needs reviews if a model wrote it, or stands in the file of reviewed drafts; one that has
    some is held to them whatever it says of its origin.
    """

    reviewers: int
    key: bytes = b""
    drafts: Path | None = None  # the drafts that passed review, of whose rows none is without

    @classmethod
    def by(cls, section: Curate, recipe: Recipe) -> Admission:
        """By what the recipe demands.

        Raises: RecipeError for a key that is not there.
        """
        keys = section.synthesis
        return cls(
            reviewers=section.review.reviewers,
            key=review_key(section),
            drafts=None if keys is None else recipe.path(keys.rows),
        )

    def drafted(self, parts: Iterable[Part]) -> list[Part]:
        """Those of some files that are the file of drafts, by whatever path it is reached."""
        drafts = self.drafts
        return [] if drafts is None else [one for one in parts if same_file(one.path, drafts)]

    def problem(self, example: Example, drafted: bool) -> tuple[Reason, str] | None:
        """Why a row may not come in, None where it may; `drafted` if the file of drafts has it."""
        asked = example.origin == "synthetic" or drafted
        if not example.reviews and (not asked or self.reviewers == 0):
            return None
        against = Held(
            row=reviewed_digest(example),
            draft=draft_digest(example),
            reviewers=self.reviewers,
            key=self.key,
        )
        kind, words = problem(example.reviews, against)
        if not kind:
            return None
        return REASONS[kind], f"it is {example.origin} and {words}" if kind == "few" else words


def held(stream: Rows, admission: Admission) -> Iterator[Example | Refused]:
    """The rows of a source, of which one is refused whose reviews are not those demanded."""
    drafted = admission.drafted(stream.parts)
    for one in stream:
        if isinstance(one, Example) and (told := admission.problem(one, stream.part in drafted)):
            yield Refused(
                line=stream.line,
                reason=told[0],
                problem=told[1],
                text=msgspec.json.encode(one.to_dict()).decode(),
                uri=stream.part.uri,
            )
        else:
            yield one


def inputs_of(run: Run) -> dict[str, str]:
    """The digest of the reviews the card tells of, where the recipe drafts rows."""
    found = of_curation(run.store, run.recipe)
    return {} if found is None else {"reviews": found.digest}


def section_of(form: dict[str, Any], section: Curate) -> dict[str, Any]:
    """The section as it decides the dataset: with what seals reviews, without how rows are drafted.

    What was drafted and reviewed is an input of its own.
    """
    review = {**form["review"], "key": key_mark(review_key(section))}
    return {name: one for name, one in form.items() if name != "synthesis"} | {"review": review}


def synthetic_form(run: Run, kept: Iterable[Example]) -> dict[str, Any]:
    """What the card says of rows a model wrote or drafted; nothing where there is none."""
    rows = [one for one in kept if one.origin == "synthetic" or one.reviews]
    reviews = of_curation(run.store, run.recipe)
    if not rows and reviews is None:
        return {}
    if bare := sum(not one.reviews for one in rows):
        run.progress.warn(f"{bare:,} rows are a model's and nobody reviewed them: `curate.review`")
    found: dict[str, Any] = {
        "rows": len(rows),
        "without_review": bare,
        "decisions": _counts(one.reviews[0].decision for one in rows if one.reviews),
        "reviewers": _counts(str(len(one.reviews)) for one in rows),
        "editors": len({one.editor for one in rows if one.editor}),
    }
    return {"synthetic": found | ({} if reviews is None else {"drafts": told(reviews)})}


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def synthetic_lines(form: Mapping[str, Any]) -> list[str]:
    """The same for people."""
    one = form["synthetic"]
    by = [
        f"{rows:,} reviewed by {count}" for count, rows in one["reviewers"].items() if count != "0"
    ]
    lines = [
        f"- {one['rows']:,} rows kept: {', '.join(by)}" if by else f"- {one['rows']:,} rows kept"
    ]
    if one["without_review"]:
        lines.append(
            f"- {one['without_review']:,} of them nobody reviewed: the recipe asks for none"
        )
    lines += [f"- {decision}: {count:,}" for decision, count in one["decisions"].items()]
    return [*lines, *(drafted_lines(one["drafts"]) if "drafts" in one else [])]


def drafted_lines(drafts: Mapping[str, Any]) -> list[str]:
    """What became of the drafts, as `tutelage review import` left it."""
    made, reviews, spent = drafts["made"], drafts["reviews"], drafts["spent"]
    teacher = drafts["teacher"]
    dropped = [f"{reason} {count:,}" for reason, count in drafts["dropped"].items()]
    alpha = reviews["agreement"]
    agreed = "not known"
    if alpha["value"] is not None:
        agreed = f"{alpha['value']:.2f} [{alpha['low']:.2f} {alpha['high']:.2f}], n {alpha['n']:,}"
    return [
        f"- {made:,} drafts of {cell(teacher['model'])} ({cell(teacher['licence'])}) from "
        f"{drafts['seeds']['drawn']:,} seeds; dropped: {', '.join(dropped) or 'none'}",
        f"- {reviews['reviewed']:,} reviewed: {reviews['accepted']:,} accepted, "
        f"{reviews['edited']:,} edited, {reviews['rejected']:,} rejected, {reviews['open']:,} on "
        f"which reviewers differ; {reviews['waiting']:,} wait",
        f"- agreement of reviewers (Krippendorff's alpha): {agreed}",
        f"- {spent['replies']:,} replies of the teacher: {spent['prompt_tokens']:,} tokens read, "
        f"{spent['completion_tokens']:,} written, cost {spent['cost']:,.2f}",
    ]
