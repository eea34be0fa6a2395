from __future__ import annotations

from rich.style import Style

from tests.render.bases import assistant, contract_of, embedded, example, user
from tutelage.render.show import coloured, pieces, plain

ROW = example(user("Naïve 日本?"), assistant("Ja 🙂."))
CONTRACT = contract_of(embedded())
(LESSON,) = CONTRACT.lessons(ROW)


def test_taught_text_stands_in_brackets_without_colour() -> None:
    assert plain(CONTRACT, LESSON) == (
        "<|im_start|>user\nNaïve 日本?<|im_end|>\n<|im_start|>assistant\n⟦Ja 🙂.<|im_end|>⟧"
    )


def test_pieces_hold_every_token_once_and_whole_characters() -> None:
    found = pieces(CONTRACT, LESSON)
    assert tuple(one for piece in found for one in piece.ids) == LESSON.ids
    assert tuple(one for piece in found if piece.supervised for one in piece.ids) == (
        LESSON.completion
    )
    assert all("\ufffd" not in piece.text for piece in found)
    assert [piece.text for piece in found if piece.special] == [
        "<|im_start|>",
        "<|im_end|>",
        "<|im_start|>",
        "<|im_end|>",
    ]


def test_taught_tokens_are_underlined_and_green_and_the_prompt_is_not() -> None:
    text = coloured(CONTRACT, LESSON)
    start = text.plain.index("⟦")
    for span in text.spans:
        style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
        assert bool(style.underline) == (span.start >= start)


def test_ids_are_shown_on_demand() -> None:
    shown = plain(CONTRACT, LESSON, ids=True)
    assert f"<|im_end|>·{CONTRACT.stop_ids[0]} " in shown


def test_a_rows_control_characters_are_shown_as_escapes() -> None:
    row = example(user("\x1b[31mred\x07"), assistant("ok"))
    (lesson,) = CONTRACT.lessons(row)
    assert "user\n\\x1b[31mred\\x07<|im_end|>" in plain(CONTRACT, lesson)
