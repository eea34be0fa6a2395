"""The sides of an Example by which it is compared: its request, its context and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
import xxhash

from tutelage.core.conversation import Message, Role, ToolCall
from tutelage.core.digest import Json, canonical, short_digest
from tutelage.core.row import Example
from tutelage.curate.packed import Words, bare
from tutelage.screen.near import comparable, comparables
from tutelage.screen.ngrams import folded, folded_of

VALUE = "json"  # with which the word begins that stands for a JSON value
NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Examples as they are compared, each side in comparable words. One text an Example in each."""

    request: Sequence[str]  # all that the user says
    context: Sequence[str]  # system, tools and what tools returned
    answer: Sequence[str]  # all that is taught; JSON as one word, equal if the values are
    chosen: Sequence[str]  # of a preference row what is preferred of the answer, else empty
    whole: Sequence[bool]  # whether nothing but these is said in an Example, and asked once

    def lines(self) -> bytes:
        """They as `Packed.words` reads them, a line an Example."""
        sides = (self.request, self.context, self.answer, self.chosen)
        every = zip(*sides, self.whole, strict=True)
        return msgspec.json.Encoder().encode_lines([Words(*one) for one in every])


def compared(examples: Sequence[Example]) -> Sides:
    """The sides of the Examples."""
    return sides(examples, questions(examples))


def sides(examples: Sequence[Example], requests: Sequence[str]) -> Sides:
    """The sides of the Examples, of which `questions` gives the requests."""
    plain = [bare(one) for one in examples]
    said = [
        "\n".join(_contents(one, "assistant") if own else _answers(one))
        for one, own in zip(examples, plain, strict=True)
    ]
    values = [own.startswith(VALUE) for own in said]
    return Sides(
        request=requests,
        context=comparables(["\n".join(_context(one)) for one in examples]),
        answer=comparables(said),
        chosen=comparables(
            ["\n".join(_said(one.chosen)) if one.chosen else "" for one in examples]
        ),
        whole=[
            own and not value and len(asked(one)) < 2
            for one, own, value in zip(examples, plain, values, strict=True)
        ],
    )


def numbers(example: Example) -> list[str]:
    """The numbers in request, context and answer, sorted: a difference there matters."""
    said = "\n".join([*_context(example), *_answers(example)])
    return sorted(NUMBER.findall(f"{request(example)}\n{said}"))


def whole(example: Example) -> str:
    """Request, context and answer as they are written."""
    return "\n".join([request(example), *_context(example), *_answers(example)])


def request(example: Example) -> str:
    """All that the user says in an Example."""
    return "\n".join(asked(example))


def asked(example: Example) -> list[str]:
    """The user's turns."""
    return [message.content for message in example.messages if message.role == "user"]


def turns(example: Example) -> list[str]:
    """The user's turns, also those of what follows the prompt of a preference row."""
    whole = (*example.messages, *example.chosen, *example.rejected)
    return [message.content for message in whole if message.role == "user"]


def texts(example: Example) -> Iterator[str]:
    """Every text in which a part of an evaluation item could stand; all that a user says is one."""
    said = turns(example)
    if len(said) > 1:
        yield "\n".join(said)
    yield from written(example)


def written(example: Example) -> Iterator[str]:
    """Every text of an Example, each once."""
    for message in (*example.messages, *example.chosen, *example.rejected):
        yield message.content
        if message.reasoning:
            yield message.reasoning
        for call in message.tool_calls:
            yield canonical(dict(call.arguments)).decode()


def question(example: Example) -> str:
    """The key by which requests are the same, whatever their case, blanks and punctuation."""
    return comparable(request(example))


def questions(examples: Sequence[Example]) -> list[str]:
    """The key of each Example, as `question` gives it."""
    return comparables([request(one) for one in examples])


def prompt_key(example: Example) -> str:
    """The key by which all that stands before the answer is the same but for case and blanks."""
    before, _ = _parted(example)
    tools: list[Json] = [dict(tool) for tool in example.tools]
    return short_digest(canonical([_folded(before), tools]))


def answer_key(example: Example) -> str:
    """The key by which answers are the same but for case and blanks."""
    before, after = _parted(example)
    continuations = (after, example.chosen, example.rejected)
    return short_digest(canonical([_folded(one, before) for one in continuations]))


def keys(examples: Sequence[Example]) -> tuple[list[bytes], list[bytes]]:
    """Of each Example the octets of `prompt_key` and of `answer_key`; of most, many at once."""
    few = [_few_words(one) for one in examples]
    said = [one.messages for one, own in zip(examples, few, strict=True) if own]
    forms = _written([message for messages in said for message in messages])
    prompts, answers = [], []
    for one, own in zip(examples, few, strict=True):
        if own:
            before = b",".join(islice(forms, len(one.messages) - 1))
            prompts.append(xxhash.xxh3_128_digest(b"[[%b],[]]" % before))
            answers.append(xxhash.xxh3_128_digest(b"[[%b],[],[]]" % next(forms)))
        else:
            prompts.append(bytes.fromhex(prompt_key(one)))
            answers.append(bytes.fromhex(answer_key(one)))
    return prompts, answers


def _few_words(example: Example) -> bool:
    """Whether all that is said of a row's turns is who takes each, and its words."""
    return not (example.tools or example.chosen or example.rejected) and all(
        one.reasoning is None
        and not one.tool_calls
        and one.tool_call_id is None
        and one.name is None
        and one.train is None
        and one.weight == 1.0
        for one in example.messages
    )


def _written(messages: Sequence[Message]) -> Iterator[bytes]:
    """The canonical JSON of each message's folded words and its role."""
    words = folded_of([message.content for message in messages])
    for message, own in zip(messages, words, strict=True):
        yield b'{"content":%b,"role":"%b"}' % (msgspec.json.encode(own), message.role.encode())


def pair_key(example: Example, *, swapped: bool = False) -> str:
    """The key of a preference row by which pairs are the same; `swapped`, of its opposite."""
    before, _ = _parted(example)
    pair = [_folded(example.chosen, before), _folded(example.rejected, before)]
    return short_digest(canonical([prompt_key(example), *(reversed(pair) if swapped else pair)]))


def _parted(example: Example) -> tuple[Sequence[Message], Sequence[Message]]:
    """What stands before the answer, and the answer; a preference row's stand elsewhere."""
    whole = example.messages
    return (whole, ()) if example.chosen else (whole[:-1], whole[-1:])


def _folded(messages: Sequence[Message], before: Sequence[Message] = ()) -> list[dict[str, Json]]:
    """Messages as they are compared; calls are called by their number after those `before`."""
    if not any(one.tool_calls or one.tool_call_id for one in messages):
        return [_plain(one) for one in messages]
    names: dict[str | None, str] = {}
    number = 0
    forms = []
    for place, message in enumerate((*before, *messages)):
        for call in message.tool_calls:
            number += 1
            names[call.id] = str(number)
        if place < len(before):
            continue
        form = _plain(message)
        if message.tool_calls:
            form["tool_calls"] = [_call(call) for call in message.tool_calls]
        if message.tool_call_id is not None:
            form["tool_call_id"] = names.get(message.tool_call_id, message.tool_call_id)
        forms.append(form)
    return forms


def _plain(message: Message) -> dict[str, Json]:
    """A message without calls as it is compared."""
    form: dict[str, Json] = {"role": message.role, "content": folded(message.content)}
    for name in ("reasoning", "name", "train"):
        value: str | bool | None = getattr(message, name)
        if value is not None:
            form[name] = value
    if message.weight != 1.0:
        form["weight"] = message.weight
    return form


def _call(call: ToolCall) -> dict[str, Json]:
    """A call without its id, which is another each time."""
    return {"name": call.name, "arguments": dict(call.arguments)}


def _context(example: Example) -> list[str]:
    said = [one.content for one in example.messages if one.role in ("system", "tool")]
    return [*said, *(canonical(dict(tool)).decode() for tool in example.tools)]


def _contents(example: Example, role: Role) -> list[str]:
    """What a role says in turns of words alone."""
    return [one.content for one in example.messages if one.role == role and one.content]


def _answers(example: Example) -> Iterator[str]:
    own = [message for message in example.messages if message.role == "assistant"]
    return _said((*own, *example.chosen, *example.rejected))


def _said(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        if message.reasoning:
            yield message.reasoning
        if message.content:
            yield _value(message.content)
        for call in message.tool_calls:
            yield _value(canonical(_call(call)).decode())


def _value(content: str) -> str:
    """A JSON object or list as one word; other text as it is."""
    if content.lstrip()[:1] not in ("{", "["):
        return content
    try:
        value = msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError):
        return content
    return f"{VALUE}{short_digest(folded(canonical(value).decode()).encode())}"
