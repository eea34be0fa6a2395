"""How far requests lie apart in an encoder's space."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.micro import micro_base, tickets, write_rows
from tutelage.core.errors import BaseModelError
from tutelage.core.recipe import Recipe
from tutelage.curate import run as door
from tutelage.curate.spread import (
    effective_dimensions,
    encoding,
    mean_distance,
    nearest,
    spread,
    unit,
)
from tutelage.curate.written import CARD, CARD_HTML, CARD_JSON
from tutelage.engine.encoder import TEXT_TOKENS, Encoded, Encoder
from tutelage.store.artifact import Artifact
from tutelage.store.base import find_base
from tutelage.store.run import Run

VARIED = [
    "How long does a parcel to Norway take?",
    "delete my account please",
    "2 + 2 * 7 = ?",
    "Who wrote the book about the whale, and when?",
    "turn the lights of the kitchen off at ten",
    "Bitte kuendigen Sie meinen Vertrag.",
]
ALIKE = [f"book a table for {count} at eight" for count in (2, 3, 4, 5, 6, 7)]


def corners(texts: Sequence[str]) -> Encoded:
    """Each text in the direction of its number."""
    return Encoded(vectors=np.eye(8, dtype=np.float32)[[int(text) for text in texts]], cut=0)


def test_the_measures_of_a_cross_are_those_by_hand() -> None:
    cross = unit(np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, -1.0]]))

    assert mean_distance(cross, 4)[0] == pytest.approx((2 * 2 + 4 * 1) / 6)
    assert effective_dimensions(cross) == pytest.approx(2.0)
    assert nearest(cross) == pytest.approx([1.0] * 4)
    line = unit(np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]))
    assert effective_dimensions(line) == pytest.approx(1.0)
    assert nearest(line) == pytest.approx([0.0, 2.0, 0.0])
    assert effective_dimensions(unit(np.ones((3, 2)))) == 0.0


def test_a_sample_tells_the_mean_distance_of_all_rows_within_its_interval() -> None:
    drawn = np.random.default_rng(5)
    whole = unit(drawn.normal(size=(3000, 6)) + np.array([1.0, 0, 0, 0, 0, 0]))
    truth = mean_distance(whole, 3000)
    assert truth[0] == truth[1] == truth[2]  # all of them were looked at
    held = 0
    for _ in range(200):
        some = whole[drawn.choice(3000, 120, replace=False)]
        mean, low, high = mean_distance(some, 3000)
        held += low <= truth[0] <= high
        assert low < mean < high
    assert 0.9 <= held / 200 <= 0.99


def test_texts_of_no_word_are_counted_and_one_text_has_no_spread() -> None:
    found = spread(["1", "", "2", "  "], 4, corners)

    assert (found["texts"], found["empty"], found["cut"]) == (2, 2, 0)
    assert found["distance"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert spread(["1", ""], 2, corners) == {"texts": 1, "empty": 1}


def test_blank_texts_are_no_reason_to_doubt_the_mean_of_the_others() -> None:
    whole = spread(["1", "1", "2", "3", ""], 5, corners)["distance"]
    assert whole["low"] == whole["value"] == whole["high"]  # all of them were looked at

    sample = spread(["1", "1", "2", "3", "", " ", "", ""], 80, corners)
    assert sample["distance"] == spread(["1", "1", "2", "3"], 40, corners)["distance"]
    assert sample["distance"]["low"] < sample["distance"]["value"]


def test_near_same_requests_lie_nearer_than_varied_ones_in_whatever_order() -> None:
    encode = encoding(find_base("tutelage/tiny", Path()))
    varied, alike = spread(VARIED, 6, encode), spread(ALIKE, 6, encode)

    assert alike["distance"]["value"] < 0.5 * varied["distance"]["value"]
    assert alike["nearest"]["median"] < 0.5 * varied["nearest"]["median"]
    shuffled = random.Random(3).sample(VARIED, len(VARIED))
    assert shuffled != VARIED
    assert spread(shuffled, 6, encode) == varied
    both = spread([*VARIED, *ALIKE], 12, encode)
    assert alike["distance"]["value"] < both["distance"]["value"]


def test_a_text_has_its_vector_whoever_stands_beside_it(tmp_path: Path) -> None:
    micro_base(tmp_path / "base")
    encoder = Encoder.open(find_base("base", tmp_path))
    long = "a long text " * 60

    together = encoder.encode([*VARIED, "", long])
    alone = [encoder.encode([text]).vectors[0] for text in VARIED]

    assert together.vectors[: len(VARIED)] == pytest.approx(np.array(alone), abs=1e-5)
    assert not together.vectors[len(VARIED)].any()
    assert together.cut == 1
    cut = encoder.encode([long[:TEXT_TOKENS]])  # its tokens are bytes
    assert together.vectors[-1] == pytest.approx(cut.vectors[0], abs=1e-5)
    assert cut.cut == 0


def curated(folder: Path, **card: str) -> Artifact:
    source = {"path": "rows.jsonl", "origin": "human", "licence": "MIT"}
    form = {"name": "test", "curate": {"sources": [source], "validation": 0.0, "card": card}}
    recipe = Recipe.model_validate(form).at(folder)
    assert recipe.curate is not None
    with Run.open(recipe) as run:
        return door.run(recipe.curate, {}, run)


def test_the_card_tells_the_spread_where_the_recipe_names_an_encoder(tmp_path: Path) -> None:
    micro_base(tmp_path / "base")
    write_rows(tmp_path / "rows.jsonl", tickets(30))

    plain, told = curated(tmp_path), curated(tmp_path, encoder="base")

    assert "was not measured: `curate.card.encoder`" in plain.file(CARD).read_text()
    assert json.loads(plain.file(CARD_JSON).read_bytes())["quality"]["spread"] == {}
    form = json.loads(told.file(CARD_JSON).read_bytes())["quality"]["spread"]
    assert (form["encoder"], form["texts"], form["dimensions"]) == ("base", 30, 32)
    assert 0 < form["distance"]["value"] < 2
    assert 1 < form["effective_dimensions"] < 32
    text = told.file(CARD).read_text()
    assert f"| mean cosine distance of two | {form['distance']['value']:.3f} [" in text
    assert "| effective dimensions, of 32 |" in text
    assert "mean cosine distance of two" in told.file(CARD_HTML).read_text()
    assert told.key != plain.key


def test_an_encoder_that_is_not_there_is_told_by_its_key(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", tickets(3))
    with pytest.raises(BaseModelError, match="no folder") as caught:
        curated(tmp_path, encoder="./nowhere")
    assert caught.value.where == "curate.card.encoder"
