"""`evaluate.prompted`: the prompt that would be written if nothing were trained."""

from __future__ import annotations

from pydantic import Field, model_validator

from tutelage.core.recipe.section import Section

ROWS_OWN = "{system}"  # in the text: the row's own system prompt


class WorkedTurn(Section):
    """A request and the answer that is wanted."""

    user: str = Field(min_length=1, description="What is asked.")
    assistant: str = Field(min_length=1, description="The answer to it.")


class Prompted(Section):
    """A system prompt, worked turns before every request, or both."""

    text: str | None = Field(
        None,
        min_length=1,
        description="System prompt in place of the row's own, which `{system}` puts in.",
    )
    path: str | None = Field(None, min_length=1, description="File with that text.")
    turns: tuple[WorkedTurn, ...] = Field((), description="Worked turns, all before the request.")

    @model_validator(mode="after")
    def _says_something(self) -> Prompted:
        if self.text is not None and self.path is not None:
            raise ValueError("it has both `text` and `path`; give it one of them")
        if self.text is None and self.path is None and not self.turns:
            raise ValueError("it is empty: give it `text`, `path` or `turns`")
        if self.text is not None and not self.text.strip():
            raise ValueError("its text is blank")
        return self
