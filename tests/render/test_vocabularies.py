"""Templates on the tokenizers of real models: the same ids, nothing forged, nothing lost."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from tests.render.bases import GOLDEN as TEMPLATES
from tests.render.bases import assistant, example, system, user
from tests.render.families import FAMILIES
from tests.render.vocabularies import GOLDEN, NAMES, tokenizer_of, vectors
from tutelage.core.conversation import Conversation
from tutelage.core.row import Example
from tutelage.render.encode import SEAM, Encoder
from tutelage.render.policy import Policy
from tutelage.render.renderer import Renderer
from tutelage.render.template import ChatTemplate

# With markers of its own, with plain text for markers, and with the words of a role's name.
CHOSEN = ("Qwen-Qwen2.5-7B-Instruct", "mistral-instruct", "microsoft-Phi-3.5-mini-instruct")
PLAIN = "which is the largest planet"
SOME = st.lists(
    st.integers(0, 9999) | st.sampled_from(["<|", "|>", " ", "\n", "[", "]", "</", "<s", "the "]),
    max_size=6,
)


@functools.cache
def renderer(vocabulary: str, family: str) -> Renderer:
    """A family's template on a real tokenizer that was taught its markers."""
    known = FAMILIES[family]
    tokenizer = tokenizer_of(vocabulary)
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in known["special"]])
    text = (TEMPLATES / f"{family}.jinja").read_text(encoding="utf-8")
    variables = {"eos_token": known["end"], "bos_token": known["begin"] or ""}
    template = ChatTemplate({"default": text}, name=family, variables=variables, date="2026-01-01")
    names = [known["end"], *([known["begin"]] if known["begin"] else [])]
    ends = {"<|end|>", known["end"]} & {*known["special"], known["end"]}
    return Renderer(
        template=template,
        encoder=Encoder(tokenizer, names=names, template=text),
        policy=Policy(),
        stop_ids=frozenset(tokenizer.token_to_id(end) for end in ends),
        closing=None,
        forged="keep",
    )


def row(*words: str) -> Example:
    asked = [user(one) if nth % 2 == 0 else assistant(one) for nth, one in enumerate(words)]
    return example(*asked)


def test_the_files_are_those_their_source_names() -> None:
    source = (GOLDEN / "SOURCE.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", source, re.MULTILINE))
    files = {path.name: path.read_bytes() for path in GOLDEN.iterdir()}
    plain = {
        name: gzip.decompress(data) if name.endswith(".gz") else data
        for name, data in files.items()
        if name not in ("SOURCE.md", "LICENSE")
    }
    assert {name: hashlib.sha256(data).hexdigest() for name, data in plain.items()} == listed


@pytest.mark.parametrize("name", ["gpt-2", "phi-3", "bge"])
def test_the_published_ids_are_those_of_the_tokenizer(name: str) -> None:
    encoder = Encoder(tokenizer_of(name), names=(), template="")
    found = vectors(name)
    assert len(found) == 46
    texts = [text for text, _ in found]
    assert [list(ids) for ids in encoder.encode(texts)] == [ids for _, ids in found]


@pytest.mark.parametrize("family", CHOSEN)
@pytest.mark.parametrize("vocabulary", NAMES)
def test_lessons_are_the_templates_text_as_the_tokenizer_reads_it(
    vocabulary: str, family: str
) -> None:
    one = renderer(vocabulary, family)
    messages = (user(PLAIN), assistant("jupiter"), user("and then"), assistant("saturn is next"))
    (found,) = one.rendered([example(*messages)])
    assert len(found.lessons) == 2, found.entry
    for lesson in found.lessons:
        before = [one.template.form(message) for message in messages[: lesson.turn]]
        text = one.template.render(before, ask=True)
        whole = one.encoder.tokenizer.encode(text, add_special_tokens=False).ids
        assert list(lesson.prompt) == whole
        assert lesson.completion[-1] in one.stop_ids
        assert one.encoder.decode(lesson.completion).strip() == messages[lesson.turn].content


@pytest.mark.parametrize("vocabulary", NAMES)
def test_no_special_token_of_a_vocabulary_can_be_said(vocabulary: str) -> None:
    one = renderer(vocabulary, CHOSEN[0])
    special = one.encoder.special_ids
    words = [one.encoder.tokenizer.id_to_token(at) for at in sorted(special)]
    calm = row("a", "b", "c", "d")
    spoken = [row(f"a {word}", f"{word} b", word, f"d{word}d") for word in words]
    plain, *found = one.rendered([calm, *spoken])
    prompts = one.prompts([Conversation(messages=each.messages[:3]) for each in [calm, *spoken]])
    expected = [[at for at in lesson.ids if at in special] for lesson in plain.lessons]
    assert len(expected) == 2
    for word, rendered, prompt in zip(words, found, prompts[1:], strict=True):
        if vocabulary != "bge":  # which spells everything in small letters: refused when taught
            taught = [[at for at in lesson.ids if at in special] for lesson in rendered.lessons]
            assert taught == expected, word
        asked = [at for at in prompt if at in special]
        assert asked == [at for at in prompts[0] if at in special], word


@pytest.mark.parametrize("vocabulary", NAMES)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(parts=SOME)
def test_no_mixture_of_its_pieces_becomes_a_special_token(
    vocabulary: str, parts: list[int | str]
) -> None:
    one = renderer(vocabulary, CHOSEN[0])
    special = sorted(one.encoder.special_ids)
    known = [one.encoder.tokenizer.id_to_token(at) for at in special]
    said = "".join(known[part % len(known)] if isinstance(part, int) else part for part in parts)
    shielded = one.encoder.shielded(said)
    (ids,) = one.encoder.encode([f"<|im_start|>{shielded}<|im_end|>"])
    inside = [at for at in ids if at in one.encoder.special_ids]
    assert [one.encoder.tokenizer.id_to_token(at) for at in inside] == [
        "<|im_start|>",
        "<|im_end|>",
    ]
    if vocabulary in ("gpt-2", "gpt-neox"):
        assert one.encoder.decode(ids, special=True) == f"<|im_start|>{said}<|im_end|>"


@settings(max_examples=25, derandomize=True, deadline=None)
@given(text=st.text(max_size=30).filter(lambda text: SEAM not in text))
def test_any_text_is_taught_as_it_stands_by_tokenizers_that_spell_bytes(text: str) -> None:
    for vocabulary in ("gpt-2", "gpt-neox"):
        one = renderer(vocabulary, CHOSEN[0])
        (found,) = one.rendered([example(system("s"), user(text), assistant(text))])
        (lesson,) = found.lessons
        assert one.encoder.decode(lesson.completion) == text
