from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import branching, saved_model
from tutelage.core.errors import BaseModelError
from tutelage.engine.attention import Layout, layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.check import check_folding, lesson_alone
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack

CPU = torch.device("cpu")


def folded(lessons: Sequence[Lesson]) -> PackedRow:
    (row,) = pack(lessons, 2000, np.random.default_rng(0), share=True)
    return row


def blind(backbone: Backbone) -> None:
    """Makes the backbone forget where lessons begin and end."""
    hidden = backbone.hidden

    def mixed(
        tokens: torch.Tensor, position: torch.Tensor, plan: Layout, source: torch.Tensor
    ) -> torch.Tensor:
        whole = layout(np.full(len(tokens), len(tokens), dtype=np.int32))
        return hidden(tokens, position, whole, source)

    backbone.hidden = mixed  # type: ignore[method-assign]


def test_each_lesson_of_a_row_is_found_again() -> None:
    lessons = branching(3)
    row = folded(lessons)
    for number, lesson in enumerate(lessons):
        alone = lesson_alone(row, number)
        assert alone.tokens.tolist() == list(lesson.ids)
        assert alone.tokens[alone.target].tolist() == list(lesson.completion)
        assert (alone.target - alone.source == 1).all()
        assert alone.position.tolist() == list(range(len(lesson.ids)))


@pytest.mark.parametrize(("family", "other"), [("gemma3", False), ("mistral", True)])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_model_that_keeps_lessons_apart_passes(
    family: str, other: bool, precision: torch.dtype, tmp_path: Path
) -> None:
    base, _ = saved_model(family, tmp_path)
    backbone = open_backbone(base, precision=precision, force_hf=other)
    backbone.module.train()
    far = check_folding(backbone, folded(branching(1, 12)), device=CPU)
    assert far <= (1e-5 if precision == torch.float32 else 0.05)
    assert all(part.training for part in backbone.module.modules())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_model_that_mixes_lessons_is_named(precision: torch.dtype, tmp_path: Path) -> None:
    base, _ = saved_model("qwen3", tmp_path)
    backbone = open_backbone(base, precision=precision)
    blind(backbone)
    with pytest.raises(BaseModelError, match=r"`qwen3` model .* change each other") as caught:
        check_folding(backbone, folded(branching(1, 12)), device=CPU)
    assert caught.value.where == "train.base"
