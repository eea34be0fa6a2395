"""Both backbones on packed and folded rows, against plain transformers on one lesson at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.engine.models import CONFIGS, WINDOW, branching, lessons, saved_model
from tests.engine.reference import Found, alone, packed
from tutelage.engine.backbone import open_backbone
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity, Prompt
from tutelage.store.base import BaseFolder

Opened = dict[str, tuple[BaseFolder, torch.nn.Module]]
FLAT = [family for family in CONFIGS if family != "gpt2"]
BACKBONES = [*((family, False) for family in FLAT), *((family, True) for family in CONFIGS)]
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A small model of every family, saved once."""
    return {name: saved_model(name, tmp_path_factory.mktemp(name)) for name in CONFIGS}


@pytest.fixture(scope="module")
def references(bases: Opened) -> dict[tuple[str, int], Found]:
    """What each family's model gives for each set of lessons."""
    return {
        (name, seed): alone(model, branching(seed))
        for name, (_, model) in bases.items()
        for seed in SEEDS
    }


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are in one order on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("family", "other"), BACKBONES)
def test_packed_rows_give_the_loss_and_gradient_of_one_lesson_at_a_time(
    family: str,
    other: bool,
    share: bool,
    bases: Opened,
    references: dict[tuple[str, int], Found],
) -> None:
    for seed in SEEDS:
        backbone = open_backbone(bases[family][0], precision=torch.float32, force_hf=other)
        assert backbone.kind == ("hf" if other else "flat")
        found = packed(backbone, branching(seed), share=share)
        expected = references[family, seed]
        assert abs(found.loss - expected.loss) <= 2e-6
        assert found.distance(expected) <= 1e-6


@pytest.mark.parametrize(("family", "other"), BACKBONES)
def test_bf16_is_as_near_to_fp32_as_autocast_of_transformers(
    family: str, other: bool, bases: Opened, references: dict[tuple[str, int], Found]
) -> None:
    base, model = bases[family]
    ours = theirs = 0.0
    for seed in SEEDS:
        exact = references[family, seed]
        theirs += alone(model, branching(seed), torch.bfloat16).distance(exact)
        backbone = open_backbone(base, precision=torch.bfloat16, force_hf=other)
        ours += packed(backbone, branching(seed), share=True).distance(exact)
    assert ours <= 1.25 * theirs


@pytest.mark.parametrize("family", FLAT)
def test_weights_written_are_the_weights_read(family: str, bases: Opened) -> None:
    base, model = bases[family]
    written = open_backbone(base, precision=torch.float32).export()
    own = dict(model.named_parameters())
    assert set(written) == set(own)
    assert all(torch.equal(value, own[name]) for name, value in written.items())


@pytest.mark.parametrize(("family", "other"), BACKBONES)
def test_greedy_answers_pass_the_window_as_those_of_transformers_do(
    family: str, other: bool, bases: Opened
) -> None:
    base, model = bases[family]
    room = WINDOW + 4
    prompts = [lesson.prompt for lesson in lessons(3)] + [tuple(range(5, 70)), (9,)]
    expected = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        asked = {"max_new_tokens": room, "do_sample": False, "eos_token_id": None}
        out = model.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **asked
        )
        expected.append(tuple(out[0, len(prompt) :].tolist()))
    backbone = open_backbone(base, precision=torch.float32, frozen=True, force_hf=other)
    identity = Identity(base="", adapter="", tokenizer="")
    engine = LocalEngine(backbone, identity, lambda ids: " ".join(map(str, ids)))
    answers = engine.generate([Prompt(ids=ids) for ids in prompts], Decoding(max_new_tokens=room))
    assert [answer.ids for answer in answers] == expected
