from __future__ import annotations

import pytest

from tutelage.core.errors import ContractError
from tutelage.render.lesson import Lesson


def test_a_lesson_is_read_prompt_first() -> None:
    lesson = Lesson(prompt=(1, 2), completion=(3,))
    assert lesson.ids == (1, 2, 3)
    assert len(lesson) == 3


@pytest.mark.parametrize(("prompt", "completion"), [((), (1,)), ((1,), ())])
def test_a_lesson_without_prompt_or_completion_is_refused(
    prompt: tuple[int, ...], completion: tuple[int, ...]
) -> None:
    with pytest.raises(ContractError, match="row abc, message 3"):
        Lesson(prompt=prompt, completion=completion, row="abc", turn=3)
