"""Which reviews of a recipe's drafts are the latest, and what curation tells of them."""

from __future__ import annotations

from typing import Any

from tutelage.core.recipe import Recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.pointed import Pointed
from tutelage.store.store import Store

FOLDER = "reviews"  # of the project's
SUMMARY = "reviews.json"
TOLD = ("teacher", "seeds", "made", "dropped", "flagged", "spent", "reviews")


def pointed(store: Store) -> Pointed:
    """Where the latest reviews of each recipe are named."""
    return Pointed(store=store, folder=store.root / FOLDER, what=FOLDER)


def latest(store: Store, recipe: Recipe) -> Artifact | None:
    """The latest reviews of a recipe's drafts, None where there is none."""
    return pointed(store).latest(recipe.name, f"`{recipe.name}`")


def of_curation(store: Store, recipe: Recipe) -> Artifact | None:
    """The same for a recipe that drafts, whose card tells of them."""
    section = recipe.curate
    return None if section is None or section.synthesis is None else latest(store, recipe)


def told(reviews: Artifact) -> dict[str, Any]:
    """What the card tells of the drafts: counts and costs, no names and no ids."""
    form = read_json(reviews.file(SUMMARY))
    found = {name: form[name] for name in TOLD}
    found["reviews"] = {name: one for name, one in found["reviews"].items() if name != "reviewers"}
    found["seeds"] = {name: one for name, one in found["seeds"].items() if name != "ids"}
    return found
