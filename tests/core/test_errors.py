from __future__ import annotations

import pytest

from tutelage.core import errors
from tutelage.core.errors import BadRow, GateShut, Interrupted, RowError, TutelageError, UsageError


def test_text_is_drawn_as_the_style_guide_draws_it() -> None:
    error = RowError(
        "2 rows of data/tickets.jsonl cannot be taught",
        rows=[
            BadRow(where="line 12", problem="last message is from `user`; expected `assistant`"),
            BadRow(where="line 40", problem="role `bot`; expected system, user, assistant or tool"),
        ],
        hint="fix them, or set `curate.invalid: reject`",
    )
    assert error.text() == (
        "error: 2 rows of data/tickets.jsonl cannot be taught\n"
        "  line 12  last message is from `user`; expected `assistant`\n"
        "  line 40  role `bot`; expected system, user, assistant or tool\n"
        "\n"
        "hint: fix them, or set `curate.invalid: reject`"
    )


def test_places_of_unequal_length_stand_in_one_column() -> None:
    rows = [BadRow(where="line 9", problem="a"), BadRow(where="line 10", problem="b")]
    assert RowError("x", rows=rows).text().splitlines()[1:] == ["  line 9   a", "  line 10  b"]


def test_text_counts_the_rows_it_does_not_draw_and_the_form_has_them_all() -> None:
    rows = [BadRow(where=f"line {n}", problem="bad") for n in range(60)]
    error = RowError("60 rows", rows=rows)
    assert "  and 10 more; `--json` lists them all" in error.text()
    assert len(error.form()["rows"]) == 60


def test_form_says_where_and_what_was_expected() -> None:
    error = TutelageError("found `x`", where="r.yaml:1:2", expected="a number", hint="write one")
    assert dict(error.form()) == {
        "code": "error",
        "message": "found `x`; expected a number",
        "where": "r.yaml:1:2",
        "hint": "write one",
        "rows": [],
    }
    assert error.text() == "error: r.yaml:1:2: found `x`\n  expected a number\n\nhint: write one"
    assert str(error).startswith("r.yaml:1:2: found `x`")


@pytest.mark.parametrize(
    ("kind", "code"), [(TutelageError, 1), (UsageError, 2), (GateShut, 3), (Interrupted, 130)]
)
def test_exit_codes_tell_the_outcomes_apart(kind: type[TutelageError], code: int) -> None:
    assert kind.exit_code == code


def test_every_error_has_a_code_of_its_own_and_stands_in_the_drawn_tree() -> None:
    tree = [TutelageError]
    for kind in tree:
        tree += [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    assert len({kind.code for kind in tree}) == len(tree)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in tree)
