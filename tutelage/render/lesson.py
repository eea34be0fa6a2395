"""The Lesson: one taught turn, and which of its tokens are supervised."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One taught turn, exactly as the model meets it when served.

    Raises: ContractError for an empty prompt (nothing would predict the first
        completion token) or a completion of which nothing would be taught.
    """

    prompt: tuple[int, ...]  # [P] ids the server would send
    completion: tuple[int, ...]  # [C] ids the model must emit, stop token included
    read: int = 0  # leading tokens of the completion that are only read: reasoning not taught
    weight: float = 1.0  # of each completion token in the loss
    row: str = ""  # id of the Example it was rendered from
    turn: int = 0  # index of the taught message in the Example

    def __post_init__(self) -> None:
        if not self.prompt or not 0 <= self.read < len(self.completion):
            empty = "prompt" if not self.prompt else "completion"
            raise ContractError(
                f"the lesson's {empty} has no tokens",
                where=f"row {self.row}, message {self.turn}",
                expected="at least one prompt token and one completion token",
            )

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)

    @property
    def taught(self) -> tuple[int, ...]:
        """The supervised ids: the completion but for what of it is only read."""
        return self.completion[self.read :]

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and completion, as the model reads them."""
        return self.prompt + self.completion
