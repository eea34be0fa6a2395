from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from rich.style import Style

from tests.render.bases import assistant, contract_of, embedded, example, user
from tutelage.render.page import html
from tutelage.render.show import Piece, View, coloured, folding, pieces, views

ROW = example(user("Naïve 日本?"), assistant("Ja 🙂."))
CONTRACT = contract_of(embedded())
(LESSON,) = CONTRACT.lessons(ROW)


def test_taught_text_stands_in_brackets_without_colour() -> None:
    assert coloured(CONTRACT, LESSON).plain == (
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
    shown = coloured(CONTRACT, LESSON, ids=True).plain
    assert f"<|im_end|>·{CONTRACT.stop_ids[0]} " in shown


def test_a_rows_control_characters_are_shown_as_escapes() -> None:
    row = example(user("\x1b[31mred\x07"), assistant("ok"))
    (lesson,) = CONTRACT.lessons(row)
    assert "user\n\\x1b[31mred\\x07<|im_end|>" in coloured(CONTRACT, lesson).plain


def test_what_of_an_answer_is_only_read_stands_in_angle_brackets() -> None:
    read = replace(LESSON, read=2)
    shown = coloured(CONTRACT, read).plain
    head, _, taught = shown.partition("⟦")
    assert head.endswith("⟩")
    assert taught == CONTRACT.renderer.encoder.decode(read.taught, special=True) + "⟧"
    assert [piece.kind for piece in pieces(CONTRACT, read)[-len(read.taught) :]][-1] == "taught"
    assert View(lesson=read).says(9) == (
        f"{len(read.prompt)} tokens read, {len(read.taught)} taught, 2 of the answer only read, "
        "longer than the context of 9"
    )


def test_spaces_inside_a_special_token_are_seen() -> None:
    piece = Piece(text="<| a\n|>", ids=(1,), kind="prompt", special=True)
    assert piece.shown == "<|␣a↵|>"
    assert replace(piece, special=False).shown == "<| a\n|>"


def test_a_lesson_is_folded_onto_the_one_it_shares_most_with() -> None:
    row = example(user("a"), assistant("b"), user("c"), assistant("d"), user("e"), assistant("f"))
    (rendered,) = CONTRACT.lessons_of([row])
    found = views(rendered)
    assert [one.shared_turn for one in found] == [0, 1, 3]
    for one, before in pairwise(found):
        assert before.shared == len(one.lesson)
        assert before.lesson.ids[: before.shared] == one.lesson.ids
    tokens = sum(len(one.lesson) for one in found)
    shared = sum(one.shared for one in found)
    assert folding(found) == f"3 lessons of {tokens} tokens, {tokens - shared} once they are folded"
    assert folding(found[:1]) == ""


def test_the_page_holds_every_piece_in_its_standing() -> None:
    row = example(user("a"), assistant("b"), user("c"), assistant("d", weight=0.5))
    rendered = CONTRACT.lessons_of([row])
    shown = html("desk", CONTRACT, [row], rendered)
    assert shown.count('class="taught"><span class="sr"> taught: </span>') == 2
    assert shown.count(">┊<") == 2  # the legend's, and where the second lesson's own tokens begin
    assert "weight 0.5" in shown
    stretches = re.findall(r'<span class="prompt shared">.*?</span><span', shown)
    assert len(stretches) == 1
    for lesson in rendered[0].lessons:
        for one in lesson.ids:
            assert f'<sub class="id">{one}</sub>' in shown or f",{one}" in shown


def test_a_row_that_is_not_taught_says_why_on_the_page() -> None:
    row = example(user("a"), assistant("b", train=False))
    shown = html("desk", CONTRACT, [row], CONTRACT.lessons_of([row]))
    assert "not taught: nothing_taught" in shown
