"""What the card tells of the rows: coverage, diversity, boilerplate, refusals, forms, noise."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.micro import micro_base
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import BaseModelError, RowError
from tutelage.core.ledger import Decision, Reason
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example, Source
from tutelage.curate import run as door
from tutelage.curate.checks import answered
from tutelage.curate.coverage import by_chance, coverage, distance
from tutelage.curate.measured import measured as sizes_of
from tutelage.curate.page import page
from tutelage.curate.quality import Looked, quality
from tutelage.curate.shelf import Rows
from tutelage.curate.sieve import entry
from tutelage.curate.tokens import whole_sum
from tutelage.curate.written import CARD, CARD_HTML, CARD_JSON
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run

CLOSING = "please write to our service desk if anything is unclear to you"


def example(asked: str, said: str = "Yes", **tags: str) -> Example:
    return Example(
        messages=(Message(role="user", content=asked), Message(role="assistant", content=said)),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=1),
        tags=tags,
    )


def measured(*rows: Example, **looked: Any) -> dict[str, Any]:
    held = Rows.of(rows)
    return quality(held, sizes_of(rows), Looked(answers=answered(held), **looked))


def test_the_distance_of_two_histograms_is_the_share_that_would_have_to_be_others() -> None:
    assert distance({"a": 3, "b": 1}, {"a": 30, "b": 10}) == 0
    assert distance({"a": 1}, {"b": 7}) == 1
    assert distance({"a": 3, "b": 1}, {"a": 1, "b": 3}) == 0.5


def test_the_distance_by_chance_is_that_of_two_samples_of_one_and_the_same() -> None:
    draw = random.Random(3)
    shares, seen = {"a": 0.5, "b": 0.3, "c": 0.2}, []
    for _ in range(2000):
        one, other = (
            {at: drawn.count(at) for at in shares}
            for drawn in (
                draw.choices(list(shares), list(shares.values()), k=size) for size in (80, 50)
            )
        )
        seen.append((distance(one, other), by_chance(one, other)))

    told, expected = (sum(values) / len(seen) for values in zip(*seen, strict=True))
    assert told == pytest.approx(expected, rel=0.03)


def test_coverage_stands_beside_the_prompts_expected_in_production() -> None:
    rows = [example("book a table", intent="book"), example("book me a table", intent="book")]
    expected = [example("book a flight", intent="book"), example("cancel it", intent="cancel")]

    found = coverage(sizes_of(rows, words=True), expected)

    assert found["expected"] == 2
    assert found["by"]["intent"]["rows"] == {"book": 2}
    assert found["by"]["intent"]["expected"] == {"book": 1, "cancel": 1}
    assert found["by"]["intent"]["distance"] == 0.5
    assert found["by"]["intent"]["only_expected"] == ["cancel"]
    assert found["by"]["length"]["distance"] == 0
    assert found["unknown_words"] == 3 / 5  # flight, cancel, it
    assert "domain" not in found["by"]


def test_without_expected_prompts_coverage_is_the_rows_alone() -> None:
    found = coverage(sizes_of([example("book a table", difficulty="hard")]), [])

    assert found["by"]["difficulty"] == {"rows": {"hard": 1}}
    assert "unknown_words" not in found


def test_lengths_are_told_by_words_characters_and_bytes() -> None:
    found = measured(example("a é", "one two three"), example("a b c d e"))["lengths"]

    assert found["requests"]["histogram_of_words"] == {"1-3": 1, "4-15": 1}
    assert (found["requests"]["words"]["least"], found["requests"]["words"]["most"]) == (2, 5)
    assert found["requests"]["bytes"]["sum"] - found["requests"]["characters"]["sum"] == 1
    assert found["answers"]["words"]["sum"] == 4


def test_diversity_is_the_share_of_distinct_runs() -> None:
    found = measured(example("go left go left"), example("go right"))["diversity"]["requests"]

    assert found["words"] == 6
    assert found["distinct_1"] == 3 / 6
    assert found["distinct_2"] == 3 / 4  # go left, left go, go left, go right
    assert found["distinct_3"] == 1


def test_words_that_many_answers_share_are_boilerplate() -> None:
    rows = [example(f"question {n}", f"Answer number {n} it is, {CLOSING}") for n in range(6)]
    rows += [example(f"other {n}", f"Something else number {n}") for n in range(4)]

    found = measured(*rows)["boilerplate"]

    assert found["requests"]["texts_with_any"] == 0
    assert found["answers"]["texts_with_any"] == 6
    assert found["answers"]["share_of_words"] == 6 * 14 / (6 * 17 + 4 * 4)  # `it is` as well
    assert found["answers"]["often"][0]["texts"] == 6


def test_answers_are_counted_by_form_and_refusals_with_an_interval() -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(name="f"),))
    called = Example(
        messages=(Message(role="user", content="call"), call),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=1),
    )
    told = entry(called, Decision.REVIEW, Reason.INVALID_OUTPUT)
    rows = [example("q", said) for said in ('{"a": 1}', '{"a": 1', "...", "Yes")]
    rows += [called, example("q", "I'm sorry, but I can't help with that.")]

    found = measured(*rows, outside_schema=[told, told])["answers"]

    assert found["forms"] == {
        "JSON": 1,
        "text": 2,
        "text that begins like JSON": 1,
        "tool call": 1,
        "without a word": 1,
    }
    assert found["refused"]["rows"] == 1
    assert found["refused"]["low"] < 1 / 6 < found["refused"]["high"]
    assert found["outside_schema"] == 2
    assert "outside_schema" not in measured(*rows)["answers"]


def test_one_prompt_with_several_answers_is_label_noise() -> None:
    rows = [example("Same?", "yes"), example("same?", "no"), example("same?", "NO")]
    rows += [example("other", "yes")]

    assert measured(*rows)["label_noise"] == {
        "prompts": 2,
        "asked_again": 1,
        "answered_otherwise": 1,
        "rows_answered_otherwise": 3,
        "share_of_prompts": 0.5,
    }


def recipe(folder: Path, **curate: Any) -> Recipe:
    said = [(f"Where is parcel {n}, <b>dear</b> | sir?", f"On its way {n}.") for n in range(6)]
    lines = [json.dumps({"prompt": asked, "completion": told}) for asked, told in said]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = {"path": "rows.jsonl", "origin": "human", "licence": "CC0-1.0"}
    section = {"sources": [source], "validation": 0.0, **curate}
    return Recipe.model_validate({"name": "test", "curate": section}).at(folder)


def curate(written: Recipe) -> Artifact:
    assert written.curate is not None
    with Run.open(written) as run:
        return door.run(written.curate, {}, run)


def test_the_card_sets_the_rows_beside_a_sample_of_production(tmp_path: Path) -> None:
    asked = [{"text": f"stop parcel {n}", "intent": "stop | it"} for n in range(4)]
    path = tmp_path / "expected.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    named = {"path": "expected.jsonl", "prompt": "text"}

    made = curate(recipe(tmp_path, expected=named))

    form = json.loads((made.folder / CARD_JSON).read_text(encoding="utf-8"))
    assert form["quality"]["coverage"]["by"]["intent"]["expected"] == {"stop | it": 4}
    card = (made.folder / CARD).read_text(encoding="utf-8")
    assert "Beside 4 prompts expected in production: 33.3%" in card
    assert "| stop \\| it | 0.0% | 100.0% |" in card
    other = curate(recipe(tmp_path))
    assert other.digest != made.digest
    path.write_text(json.dumps(asked[0]) + "\n", encoding="utf-8")
    assert curate(recipe(tmp_path, expected=named)).digest != made.digest


def test_an_expected_prompt_without_words_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "expected.jsonl").write_text('{"text": "a"}\n{"other": "b"}\n', encoding="utf-8")

    with pytest.raises(RowError, match=r"column `text` holds no text"):
        curate(recipe(tmp_path, expected={"path": "expected.jsonl", "prompt": "text"}))


class Sound(HTMLParser):
    """Every element that is opened is closed, save those that never are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_card_is_a_page_as_well_and_words_of_rows_are_no_markup(tmp_path: Path) -> None:
    made = curate(recipe(tmp_path))

    text = (made.folder / CARD_HTML).read_text(encoding="utf-8")
    parser = Sound()
    parser.feed(text)
    assert parser.open == []
    assert parser.seen >= {"table", "ul", "h1", "h2", "code"}
    assert not parser.seen & {"b", "script", "link", "img"}
    assert "<title>test</title>" in text


def test_a_page_has_every_cell_as_the_card_wrote_it() -> None:
    text = page("# A\n\n| a | b |\n|---|---:|\n| x \\| &lt;i&gt; & \\`z\\` | 3 |\n\n- `one`\n", "t")

    assert "<h1>A</h1>" in text
    assert "<td>x | &lt;i&gt; &amp; &#96;z&#96;</td><td class=number>3</td>" in text
    assert "<li><code>one</code></li>" in text


def test_languages_are_counted_by_row() -> None:
    rows = [example("Where is the parcel that you have sent to me?", "It is on its way to you.")]
    rows += [example("Wo ist das Paket, und wann wird es bei mir sein?", "Es ist auf dem Weg.")]
    rows += [example("AKJ-2231-X", "{}")]

    assert measured(*rows)["languages"] == {"looked_at": 3, "rows": {"de": 1, "en": 1, "und": 1}}


def test_tokens_are_counted_by_the_tokenizer_the_recipe_names(tmp_path: Path) -> None:
    micro_base(tmp_path / "base")
    plain, counted = curate(recipe(tmp_path)), curate(recipe(tmp_path, card={"tokenizer": "base"}))

    form = json.loads(counted.file(CARD_JSON).read_bytes())["quality"]
    of_bytes = form["lengths"]["answers"]["bytes"]  # its tokens are bytes
    tokens = form["tokens"]["answers"]
    assert {name: tokens[name] for name in of_bytes} == of_bytes
    assert tokens["sum_low"] == tokens["sum"] == tokens["sum_high"]  # every row was looked at
    assert "| answers, tokens |" in counted.file(CARD).read_text(encoding="utf-8")
    assert "| answers, tokens |" not in plain.file(CARD).read_text(encoding="utf-8")
    assert counted.key != plain.key

    with pytest.raises(BaseModelError, match="no folder") as caught:
        curate(recipe(tmp_path, card={"tokenizer": "./nowhere"}))
    assert caught.value.where == "curate.card.tokenizer"


def test_a_sample_tells_the_sum_of_all_rows_within_its_interval() -> None:
    draw = random.Random(7)
    tokens = [draw.randint(1, 200) for _ in range(20_000)]
    held = 0
    for _ in range(300):
        whole, low, high = whole_sum(draw.sample(tokens, 400), len(tokens))
        held += low <= sum(tokens) <= high
        assert low < whole < high
    assert 0.9 < held / 300 < 0.99


def test_one_group_of_one_row_is_a_row(tmp_path: Path) -> None:
    text = curate(recipe(tmp_path)).file(CARD).read_text(encoding="utf-8")

    assert "the largest has 1 row. A group" in text
