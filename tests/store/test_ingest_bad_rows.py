"""What a user sees for every kind of bad input."""

import gzip
import json
import os
from pathlib import Path

import pytest

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Fields, Format, Reading, Recipe
from tutelage.store.ingest import Ingested, read_examples, rows_error

GOOD = b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}'


def read(
    folder: Path, name: str, layout: Format = "messages", fields: Fields | None = None
) -> Ingested:
    recipe = Recipe(name="test").at(folder)
    return read_examples(Reading(path=name, format=layout, fields=fields), recipe)


def turn(role: object, content: object, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def row(*turns: object, **more: object) -> bytes:
    return json.dumps({"messages": list(turns), **more}).encode()


ASK = turn("user", "Hi")
SAY = turn("assistant", "Ho")

BAD = [
    (b'{"messages": [', "the row is not JSON: it ends too early"),
    (b'{"messages": "caf\xe9"}', "byte 18 is not UTF-8"),
    (b'["not", "an object"]', "the row is a list; expected an object"),
    (
        b'{"messages": [], "a": 1, "a": 2}',
        "the key `a` is there twice",
    ),
    (b'{"text": "Hi"}', "no column `messages`; it has text"),
    (b'{"mesages": []}', "no column `messages`; did you mean `mesages`?"),
    (row(), "there are no messages"),
    (
        row(ASK, turn("bot", "Ho")),
        "role `bot`; expected system, user, assistant or tool",
    ),
    (row(ASK, turn("assistant", 7)), "content of message 2 is a number; expected text"),
    (
        row(ASK, turn("assistant", "  ")),
        "message 2, from `assistant`, is empty; expected the answer to teach",
    ),
    (row(turn("user", ""), SAY), "message 1, from `user`, is empty"),
    (row(ASK), "last message is from `user`; expected `assistant`"),
    (row(turn("system", "Be kind."), SAY), "no message is from `user`"),
    (row(ASK, turn("system", "x"), SAY), "message 2 is from `system`; expected it first"),
    (
        row(ASK, SAY, turn("tool", "x"), turn("user", "y"), turn("tool", "z"), SAY),
        "message 5 is from `tool`; expected it after a call by `assistant`",
    ),
    (
        row(ASK, turn("assistant", "Ho", refusal="no")),
        "message 2 has the key `refusal`; expected only role, content, reasoning, "
        "reasoning_content, thinking, tool_calls, function_call, tool_call_id, name, train, "
        "training, weight",
    ),
    (
        row(ASK, turn("assistant", "", tool_calls=[{"name": "f", "arguments": "{"}])),
        "arguments of `f` in message 2 is not JSON: it ends too early",
    ),
    (
        row(ASK, turn("assistant", [{"type": "image_url", "image_url": "x"}])),
        "content of message 2 has a part of type `image_url`; expected text alone",
    ),
    (
        row(ASK, SAY, sources=[{"name": "f"}]),
        "column `sources` is a list; expected a single value, kept as a tag",
    ),
    (
        row(ASK, SAY, origin="web"),
        "origin `web`; expected one of human, human_edited, synthetic, log",
    ),
    (row(ASK, chosen=[SAY]), "no column `rejected`; a preference needs both"),
    (row(ASK, SAY, weight=-1), "`weight` is -1; expected 0 or more"),
]


@pytest.mark.parametrize(("line", "problem"), BAD)
def test_a_bad_row_is_refused_in_these_words(tmp_path: Path, line: bytes, problem: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(GOOD + b"\n" + line + b"\n" + GOOD)

    found = read(tmp_path, "rows.jsonl")

    assert [(bad.where, bad.problem) for bad in found.bad] == [("line 2", problem)]
    assert [one.source.line for one in found.examples] == [1, 3]


def test_all_bad_rows_of_a_file_are_told_together(tmp_path: Path) -> None:
    lines = [GOOD, row(ASK), b"{", GOOD, row(ASK, turn("bot", "x"))]
    (tmp_path / "tickets.jsonl").write_bytes(b"\n".join(lines))

    error = rows_error([read(tmp_path, "tickets.jsonl")], "taught", "fix them")

    assert error.text() == (
        "error: 3 rows of tickets.jsonl cannot be taught\n"
        "  line 2  last message is from `user`; expected `assistant`\n"
        "  line 3  the row is not JSON: it ends too early\n"
        "  line 5  role `bot`; expected system, user, assistant or tool\n"
        "\n"
        "hint: fix them"
    )


def test_bad_rows_of_several_files_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{")
    (tmp_path / "b.jsonl").write_bytes(GOOD + b"\n[]")

    error = rows_error([read(tmp_path, "a.jsonl"), read(tmp_path, "b.jsonl")], "taught", "fix them")

    assert error.text() == (
        "error: 2 rows of 2 files cannot be taught\n"
        "  a.jsonl:1  the row is not JSON: it ends too early\n"
        "  b.jsonl:2  the row is a list; expected an object\n"
        "\n"
        "hint: fix them"
    )


def test_the_text_of_a_bad_row_is_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": "caf\xe9"}\n{"b": ')

    found = read(tmp_path, "rows.jsonl")

    assert [bad.text for bad in found.refused] == ['{"a": "caf\\xe9"}', '{"b": ']


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_bytes(GOOD)

    with pytest.raises(RowError) as caught:
        read(tmp_path, "data/trian.jsonl")

    assert caught.value.text() == (
        "error: data/trian.jsonl: there is no such file\n\nhint: did you mean `train.jsonl`?"
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowError) as caught:
        read(tmp_path, "dat/train.jsonl")

    assert caught.value.text() == (
        "error: dat/train.jsonl: there is no folder `dat`\n\n"
        "hint: paths are relative to the recipe's folder"
    )


def test_a_folder_is_no_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").mkdir()

    with pytest.raises(RowError, match="this is a folder without files of rows"):
        read(tmp_path, "rows.jsonl")


def test_a_gzip_file_that_is_cut_off_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(GOOD)[:-12])

    with pytest.raises(RowError, match="the gzip file is damaged or cut off"):
        read(tmp_path, "rows.jsonl.gz")


def test_utf_16_is_told_once_and_not_for_every_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(GOOD.decode().encode("utf-16"))

    with pytest.raises(RowError, match="the file is UTF-16; expected UTF-8"):
        read(tmp_path, "rows.jsonl")


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"\n \n")

    with pytest.raises(RowError, match="the file has no rows"):
        read(tmp_path, "rows.jsonl")


def test_a_kind_of_file_that_is_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.log").write_bytes(b"Ann: Hi")

    with pytest.raises(RowError) as caught:
        read(tmp_path, "rows.log")

    assert caught.value.text() == (
        "error: rows.log: `.log` is no kind of file that holds rows\n"
        "  expected .jsonl, .ndjson, .json, .csv, .tsv, .parquet, .arrow, .feather, "
        "the texts among them also .gz or .zst\n"
        "\n"
        "hint: `format: transcript` reads texts in which speakers take turns"
    )


def test_a_layout_that_is_not_known_says_how_to_name_columns(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"question": "Hi", "answer": "Ho"}')

    with pytest.raises(RowError) as caught:
        read(tmp_path, "rows.jsonl", "auto")

    assert caught.value.text() == (
        "error: rows.jsonl: the layout of its rows is not known: question, answer\n"
        "  expected the columns id and messages and origin and licence and source (row); prompt "
        "and chosen and rejected (preference); messages (messages); chosen and rejected "
        "(preference); request and response (chat_log); "
        "input and preferred_output and non_preferred_output (preference); "
        "conversations (sharegpt); instruction and output (alpaca); prompt and "
        "completion (prompt_completion)\n"
        "\n"
        "hint: name your own columns: `format: fields` and "
        "`fields: {user: COLUMN, assistant: COLUMN}`"
    )


def test_a_named_column_that_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(
        b'{"q": "Hi", "answr": "Ho"}\n{"q": "Hi", "answer": null}\n{"q": 3, "answer": "Ho"}'
    )

    found = read(tmp_path, "rows.jsonl", "fields", Fields(user="q", assistant="answer"))

    assert [bad.problem for bad in found.bad] == [
        "no column `answer`; did you mean `answr`?",
        "column `answer` is empty; expected the answer to teach",
        "column `q` is a number; expected text",
    ]


def test_a_table_row_with_too_few_cells_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b'q,a\n"two\nlines",x\nalone\ncaf\xe9,x\ny,z\n')

    found = read(tmp_path, "rows.csv", "fields", Fields(user="q", assistant="a"))

    assert [(bad.where, bad.problem) for bad in found.bad] == [
        ("line 4", "it has 1 columns; expected 2"),
        ("line 5", "the row is not UTF-8"),
    ]
    assert [one.source.line for one in found.examples] == [2, 6]


def test_a_table_with_a_column_twice_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"q,q\na,b\n")

    with pytest.raises(RowError, match="the column `q` is there twice"):
        read(tmp_path, "rows.csv")


def test_a_json_file_that_is_broken_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_bytes(b"[\n" + GOOD + b",\n{'a': 1}\n]")

    with pytest.raises(RowError, match=r"not a JSON list: .* at line 3"):
        read(tmp_path, "rows.json")


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (b",]", "expecting value at line 3"),
        (b",\n", "it ends too early at line 4"),
        (b',\n{"a": "b', "it ends too early at line 4"),
        (b",\n{'a': 1}]", "expecting property name enclosed in double quotes at line 4"),
    ],
)
def test_a_fault_at_a_lists_end_is_told_as_what_it_is(
    tmp_path: Path, after: bytes, problem: str
) -> None:
    (tmp_path / "rows.json").write_bytes(b"[\n" + GOOD + b",\n" + GOOD + after)

    with pytest.raises(RowError, match=f"not a JSON list: {problem}"):
        read(tmp_path, "rows.json")


def test_a_control_character_costs_its_own_row_of_a_list(tmp_path: Path) -> None:
    bad = GOOD.replace(b"Hi", b"H\ni")
    assert bad != GOOD
    (tmp_path / "rows.json").write_bytes(b"[" + bad + b",\n" + GOOD + b",\n" + bad + b"]")

    found = read(tmp_path, "rows.json")

    assert [one.line for one in found.refused] == [1, 4]
    assert {one.reason for one in found.refused} == {Reason.INVALID_JSON}
    assert len(found.examples) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "prompt;completion\nHi, you;Ho\n"),
        ("a.csv", "sep=;\r\nprompt;completion\r\nHi, you;Ho\r\n"),
        ("a.csv", "SEP=|\nprompt|completion\nHi, you|Ho\n"),
        ("a.csv", 'prompt\tcompletion\n"Hi, you"\tHo\n'),
        ("a.csv", ' prompt , completion \n"Hi, you",Ho\n'),
        ("a.tsv", "prompt\tcompletion \nHi, you\tHo\n"),
    ],
)
def test_a_table_is_read_by_the_sign_its_header_has(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())

    found = read(tmp_path, name, "auto")

    assert found.bad == []
    assert [one.content for one in found.examples[0].messages] == ["Hi, you", "Ho"]
    assert found.examples[0].source.line == text.lower().count("sep=") + 2
    with (tmp_path / name).open("a") as stream:
        stream.write("more\n")
    (short,) = read(tmp_path, name, "auto").refused
    assert short.line == found.examples[0].source.line + 1


@pytest.mark.parametrize("blank", ["", " \n\t", "\u00a0\u200b", "\ufeff\x00"])
def test_an_answer_of_which_nothing_is_seen_is_empty(blank: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(row(ASK, turn("assistant", blank)))

    assert "is empty" in read(tmp_path, "rows.jsonl").bad[0].problem


def test_what_is_no_regular_file_is_said_to_be_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")

    for name in ("rows.jsonl", "loop.jsonl"):
        with pytest.raises(RowError, match="no regular file"):
            read(tmp_path, name)


def test_a_file_the_system_will_not_read_is_named() -> None:
    with pytest.raises(RowError, match="cannot be read") as raised:
        read(Path("/"), "/proc/self/mem")
    assert raised.value.where == "mem"


@pytest.mark.parametrize("weight", [1e300, 1e-300])
def test_a_weight_that_would_overflow_the_loss_is_refused(weight: float, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(row(ASK, SAY, weight=weight))

    assert read(tmp_path, "rows.jsonl").bad[0].problem == (
        f"`weight` is {weight}; expected 0, or 1e-06 to 1e+06"
    )
