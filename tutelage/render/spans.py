"""Which text of a conversation a turn is: what stands before it, and what is to be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.errors import ContractError
from tutelage.render.answer import HINT, PROBE, answer_after, answer_behind
from tutelage.render.encode import SEAM
from tutelage.render.writer import Forms, Writer

LAST = "qzlastzq"  # stands for the last request


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A turn as text. What precedes `answer` is what the server sends."""

    prompt: str
    answer: str
    read: str = ""  # how the answer begins, where its reasoning is not to be taught


def span_of(writer: Writer, before: Forms, form: dict[str, Any], tools: Sequence[Any]) -> Span:
    """The turn `form` behind the turns `before`.

    An assistant's begins where the prompt that asks for it ends; where the template
    rewrites the prompt once it is answered, where its generation block begins, or a probe
    in the answer's place. Another role's begins where that role's words do.
    Raises: ContractError where neither can be found.
    """
    whole = writer.text([*before, form], tools, ask=False)
    if form["role"] != "assistant":
        head = _head(writer, before, form, tools)
        if head is None or not whole.startswith(head) or whole == head:
            raise ContractError(f"the template does not show where a {form['role']} turn begins")
        return Span(prompt=head, answer=whole[len(head) :])
    if not before:
        raise ContractError(
            "nothing stands before the answer, and a server answers no empty request"
        )
    prompt = writer.text(before, tools, ask=True)
    answer = answer_after(prompt, whole)
    if answer is None:
        answer = _found(writer, [*before, form], tools, whole)
    return Span(prompt=prompt, answer=answer)


def reasoning_of(
    writer: Writer, before: Forms, form: dict[str, Any], tools: Sequence[Any], span: Span
) -> str:
    """How the answer begins: its reasoning, and all that the template writes around it.

    Raises: ContractError where the rest of the turn does not follow its reasoning.
    """
    whole = writer.text([*before, form], tools, ask=False)
    start = len(whole) - len(span.answer)
    head = _head(writer, before, form, tools)
    reasoning = str(form["reasoning_content"]).strip()
    if head is None or not whole.startswith(head) or reasoning not in head[start:]:
        raise ContractError(
            "the reasoning is not followed by the rest of the turn, so it cannot only be read",
            hint="set `train.teach.reasoning: teach`, or leave the reasoning out",
        )
    return head[start:]


def _found(writer: Writer, forms: Forms, tools: Sequence[Any], whole: str) -> str:
    """The answer, by the generation block or a probe; compared behind a probe for the request.

    The request's own words may stand in a marker, too: a probe stands in none.
    """
    marked = [*forms[:-2], {**forms[-2], "content": LAST}, forms[-1]]
    asked = writer.text(marked[:-1], tools, ask=True)
    for heads in (_tagged, _probed):
        head, behind = heads(writer, forms, tools), heads(writer, marked, tools)
        if head is None or behind is None or not whole.startswith(head):
            continue
        try:
            return answer_behind(asked, behind + whole[len(head) :], behind, LAST)
        except ContractError as error:
            # A block may leave the answer's header in, or begin late: the probe decides.
            if heads is _probed:
                asked_for = str(forms[-2]["content"]).replace(SEAM, "")
                said = error.message.replace(LAST, asked_for)
                raise ContractError(said, hint=error.hint) from error
    raise ContractError("the template does not show where the answer begins", hint=HINT)


def _tagged(writer: Writer, forms: Forms, tools: Sequence[Any]) -> str | None:
    """What stands before the last generation block; None without one."""
    start = writer.template.answer_start(forms, tools)
    return None if start is None else writer.text(forms, tools, ask=False)[:start]


def _probed(writer: Writer, forms: Forms, tools: Sequence[Any]) -> str | None:
    """What stands before a probe for the answer; None where the template writes none."""
    return _head(writer, forms[:-1], {"role": "assistant", "content": ""}, tools)


def _head(writer: Writer, before: Forms, form: dict[str, Any], tools: Sequence[Any]) -> str | None:
    """What stands before the turn's own words; None where the template leaves them out."""
    probed = writer.text([*before, {**form, "content": PROBE}], tools, ask=False)
    head, found, _ = probed.partition(PROBE)
    return head if found else None
