"""Cuts a text that comes in pieces at the first of some stop texts."""

from __future__ import annotations

from collections.abc import Sequence


class Cutter:
    """Gives on what can be no part of a stop text, and nothing after one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.cut = False  # whether a stop text came

    def take(self, piece: str, *, last: bool) -> str:
        """What may be given on after this piece; with the last one, all that is left."""
        if self.cut:
            return ""
        text = self._held + piece
        found = [at for at in map(text.find, self._stops) if at >= 0]
        if found:
            self.cut = True
            return text[: min(found)]
        keep = 0 if last else self._begun(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _begun(self, text: str) -> int:
        """Characters at the end that may be the beginning of a stop text."""
        longest = min(max((len(stop) for stop in self._stops), default=1) - 1, len(text))
        lengths = range(longest, 0, -1)
        endings = (n for n in lengths if any(stop.startswith(text[-n:]) for stop in self._stops))
        return next(endings, 0)
