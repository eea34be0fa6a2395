from __future__ import annotations

from tutelage.core.errors import BadRow, RowError
from tutelage.core.printable import printable


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert printable("\x1b[31mred\x07\x9b \u202eabc\u2066") == (
        "\\x1b[31mred\\x07\\x9b \\u202eabc\\u2066"
    )


def test_other_text_stays_as_it_is() -> None:
    text = "a\tb\nשלום 👩‍👩‍👧 é"
    assert printable(text) == text


def test_an_error_does_not_hand_a_rows_control_characters_to_the_terminal() -> None:
    error = RowError("1 row", rows=[BadRow(where="line 1", problem="role `\x1b[2Jbot`")])
    assert "role `\\x1b[2Jbot`" in error.text()
    assert error.form()["rows"][0]["problem"] == "role `\x1b[2Jbot`"
