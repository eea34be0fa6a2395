"""Which rows are held out, and what never straddles the line."""

from dataclasses import dataclass, replace

from tutelage.core.conversation import Message
from tutelage.core.recipe import Curate, SourceFile
from tutelage.core.row import Example, Source
from tutelage.curate.split import Placed, place
from tutelage.curate.split import split as placed_of

LONG = "please book a quiet table for my family near the old harbour on the first sunday of may"


def example(user: str, answer: str = "Yes", *, author: str | None = None) -> Example:
    return Example(
        messages=(Message(role="user", content=user), Message(role="assistant", content=answer)),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=1),
        author=author,
    )


def section(validation: float = 0.2) -> Curate:
    source = SourceFile(path="rows.jsonl", origin="human", licence="CC0-1.0")
    return Curate(sources=(source,), validation=validation)


@dataclass(frozen=True, slots=True)
class Split:
    """The rows with their sides, beside what is told of them."""

    examples: list[Example]
    placed: Placed

    @property
    def groups(self) -> tuple[int, int]:
        return self.placed.groups, self.placed.largest


def split(rows: list[Example], section: Curate, seed: int) -> Split:
    placed = placed_of(rows, section, seed)
    sides = [
        replace(row, split="validation" if held else "train")
        for row, held in zip(rows, placed.held.tolist(), strict=True)
    ]
    return Split(sides, placed)


def sides_of(rows: list[Example], seed: int = 3) -> dict[str, str | None]:
    return {one.id: one.split for one in split(rows, section(), seed).examples}


def test_rows_alike_stand_on_one_side() -> None:
    rows = [example(f"item{index} {LONG}", f"answer {copy}") for index in range(40)
            for copy in range(2)]  # fmt: skip

    sides = split(rows, section(), seed=3).examples

    assert {one.split for one in sides} == {"train", "validation"}
    for index in range(0, 80, 2):
        assert sides[index].split == sides[index + 1].split


def test_near_duplicate_requests_stand_on_one_side() -> None:
    texts = [
        f"{' '.join(f'w{index}x{word}' for word in range(20))}{end}"
        for index in range(40)
        for end in ("", " please")
    ]
    placed = split([example(text, f"{at}") for at, text in enumerate(texts)], section(), seed=3)

    assert placed.groups == (40, 2)
    for index in range(0, 80, 2):
        assert placed.examples[index].split == placed.examples[index + 1].split


def test_an_author_stands_on_one_side_unless_the_recipe_says_otherwise() -> None:
    rows = [example(f"request number{index}", author=f"a{index % 10}") for index in range(60)]

    by_author = split(rows, section(), seed=3)
    by_example = split(rows, section().model_copy(update={"group_by": "example"}), seed=3)

    assert (by_author.groups[0], by_example.groups[0]) == (10, 60)
    held = {one.author for one in by_author.examples if one.split == "validation"}
    assert held & {one.author for one in by_author.examples if one.split == "train"} == set()
    assert held
    assert any(one.split == "validation" for one in by_example.examples)


def test_the_split_does_not_hang_on_the_order_of_rows() -> None:
    rows = [example(f"request number{index}") for index in range(60)]

    forward = split(rows, section(), seed=3).examples
    backward = split(rows[::-1], section(), seed=3).examples

    assert {one.id: one.split for one in forward} == {one.id: one.split for one in backward}
    assert [one.split for one in split(rows, section(), seed=4).examples] != [
        one.split for one in forward
    ]


def test_validation_of_nothing_holds_out_nothing() -> None:
    rows = [example(f"request number{index}") for index in range(60)]

    assert {one.split for one in split(rows, section(validation=0), seed=3).examples} == {"train"}
    assert {one.split for one in split(rows[:1], section(), seed=3).examples} == {"train"}


def test_a_row_keeps_its_side_when_rows_are_added() -> None:
    rows = [example(f"request number{index}", author=f"a{index % 70}") for index in range(140)]
    rows += [example(f"question number{index}") for index in range(300)]
    before = sides_of(rows)

    others = [example(f"another number{index}", author=f"b{index}") for index in range(400)]
    more_of_an_author = [
        example(f"more of {index}", author=f"a{index % 70}") for index in range(70)
    ]
    again = [example(f"question number{index}", "No") for index in range(0, 300, 3)]
    after = sides_of([*others, *again, *rows, *more_of_an_author])

    assert {row: after[row] for row in before} == before
    assert 0.12 < sum(side == "validation" for side in after.values()) / len(after) < 0.28


def test_a_large_stratum_has_a_group_held_out_and_the_balance_is_told() -> None:
    rows = [example(f"request number{index}") for index in range(400)]
    rare = [
        replace(example(f"rare number{index}"), tags={"difficulty": "hard"}) for index in range(30)
    ]
    missed = 0
    for seed in range(40):
        placed = split([*rows, *rare], section(0.1), seed)
        hard = placed.placed.strata["difficulty hard"]
        assert hard["validation"] >= 1
        assert hard["train"] + hard["validation"] == 30
        missed += all(place(f"asks rarenumber{index}", seed) >= 0.1 for index in range(30))
    assert missed  # by its place alone no group of some seed was held out

    assert (
        placed.placed.strata["length 0-7"]["train"]
        + placed.placed.strata["length 0-7"]["validation"]
        == 430
    )
    assert (
        "difficulty hard"
        not in split(rare, section().model_copy(update={"stratify": ("origin",)}), 1).placed.strata
    )
