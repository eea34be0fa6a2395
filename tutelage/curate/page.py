"""The Dataset card as one page of HTML, of the Markdown that cards are written in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import groupby

STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 } th, td { padding: .15rem .6rem }
td, th { border: 1px solid #8886; text-align: left; vertical-align: top; overflow-wrap: anywhere }
td.number { text-align: right; white-space: nowrap } code { font-size: 90% }
"""
CODE = re.compile(r"`([^`]+)`")
CELLS = re.compile(r"(?<!\\)\|")
ENTITY = re.compile(r"&amp;(lt|gt|amp|quot|#x?[0-9a-f]+);")


def page(markdown: str, title: str) -> str:
    """A page that needs nothing else, neither script nor file."""
    body = "\n".join(_blocks(markdown.splitlines()))
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _blocks(lines: list[str]) -> Iterator[str]:
    for kind, group in groupby(lines, key=_kind):
        own = list(group)
        if kind == "table":
            yield from _table(own)
        elif kind == "list":
            yield from ("<ul>", *(f"<li>{_words(one[2:])}</li>" for one in own), "</ul>")
        elif kind == "heading":
            for one in own:
                level = len(one) - len(one.lstrip("#"))
                yield f"<h{level}>{_words(one[level + 1 :])}</h{level}>"
        elif kind == "text":
            yield f"<p>{_words(' '.join(own))}</p>"


def _kind(line: str) -> str:
    if not line:
        return ""
    kinds = {"|": "table", "- ": "list", "# ": "heading", "##": "heading"}
    return kinds.get(line[:2]) or kinds.get(line[:1]) or "text"


def _table(lines: list[str]) -> Iterator[str]:
    head, *below = [CELLS.split(line)[1:-1] for line in lines]
    rule, rows = below[:1], below[1:]
    right = [one.strip().endswith(":") for each in rule for one in each]
    yield "<table><tr>" + "".join(f"<th>{_words(one.strip())}</th>" for one in head) + "</tr>"
    for row in rows:
        cells = (
            f"<td{' class=number' if number else ''}>{_words(one.strip())}</td>"
            for one, number in zip(row, [*right, *(False for _ in row)], strict=False)
        )
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</table>"


def _words(text: str) -> str:
    """A line's words: escaped whether or not the card had them so, with code set as code."""
    plain = text.replace("\\|", "|").replace("\\`", "&#96;")
    safe = ENTITY.sub(r"&\1;", html.escape(plain, quote=False))
    return CODE.sub(r"<code>\1</code>", safe)
