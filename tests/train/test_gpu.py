"""What only a CUDA device can show."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import lessons, saved_model
from tests.engine.reference import gradients
from tests.engine.test_attention import ROWS, dense, heads
from tests.journey.project import build
from tests.train.test_stopping import Hearer, equal, training
from tutelage.core.errors import Interrupted
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.engine.attention import attend, layout
from tutelage.engine.backbone import open_backbone, settle
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity, Prompt
from tutelage.pipeline import evaluate, train
from tutelage.render.pack import pack
from tutelage.store.run import Run
from tutelage.train.batch import batch_of
from tutelage.train.plan import measure
from tutelage.train.step import gradient

CUDA = torch.device("cuda")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("window", [None, 7, 200])
@pytest.mark.parametrize("row", list(ROWS))
def test_attention_gathers_what_the_rule_lets_it_see(
    row: str, window: int | None, precision: torch.dtype
) -> None:
    plan = layout(ROWS[row]).within(window)
    inputs = heads(len(plan.end))
    expected = dense(*inputs, plan, None)
    found = attend(*(x.to(CUDA, precision) for x in inputs), plan).float().cpu()
    tolerance = 1e-4 if precision == torch.float32 else 3e-2
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("share", [False, True])
def test_the_loss_and_its_gradient_are_those_of_the_processor(tmp_path: Path, share: bool) -> None:
    base, _ = saved_model("llama", tmp_path)
    rows = list(pack(lessons(), 400, np.random.default_rng(0), share=share))
    found = []
    for device in (torch.device("cpu"), CUDA):
        model = open_backbone(base, precision=torch.float32)
        settle(model, device)
        loss = gradient(model, [batch_of(row, device) for row in rows]).loss
        found.append((loss, {name: x.cpu() for name, x in gradients(model).items()}))
    (mine, here), (theirs, there) = found
    assert abs(mine - theirs) <= 1e-4
    for name, value in here.items():
        assert float((value - there[name]).norm()) <= 1e-3 * float(value.norm()) + 1e-6


def test_answers_are_those_of_the_processor(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    prompts = [Prompt(ids=one.prompt, messages=()) for one in lessons(5)]
    decoding = Decoding(max_new_tokens=6, temperature=0.0, top_p=1.0, seed=0, stop=(2,))
    found = []
    for device in (torch.device("cpu"), CUDA):
        model = open_backbone(base, precision=torch.float32, frozen=True)
        settle(model, device)
        engine = LocalEngine(model, Identity(base="", adapter="", tokenizer=""), str)
        found.append([one.ids for one in engine.generate(prompts, decoding)])
    assert found[0] == found[1]


def test_the_same_recipe_gives_the_same_adapter_which_is_then_evaluated(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        folder = build(tmp_path / name)
        adapter = train(load(folder / "recipe.yaml"))
        assert adapter.manifest.environment["device"] == "cuda"
        digests.add(adapter.digest)
    assert len(digests) == 1
    report = evaluate(load(folder / "recipe.yaml"))
    assert report.manifest.environment["device"] == "cuda"


def test_a_training_broken_off_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    folder = build(tmp_path)
    often = "train.checkpoint_every_seconds=0.000001"
    with (
        pytest.raises(Interrupted),
        training(folder, often, heard=Hearer(signal.SIGTERM, 3)) as one,
    ):
        one.run()
    with training(folder, often) as again:
        state = again.run()
        for optimizer, _ in again.loop.optimizers:
            kept = [x for one in optimizer.state.values() for x in one.values()]
            assert {x.device.type for x in kept} == {"cuda"}
    with training(build(tmp_path / "unbroken"), often) as unbroken:
        assert unbroken.run().rows == state.rows
        assert equal(again.loop.learner.state(), unbroken.loop.learner.state())


def test_a_plan_counts_the_devices_memory(tmp_path: Path) -> None:
    recipe = load(build(tmp_path) / "recipe.yaml")
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe) as run:
        planned = measure(recipe.train, curate(recipe.curate, {}, run), run)
    total = torch.cuda.get_device_properties(0).total_memory
    assert planned.memory.checkpoint == 0
    assert planned.memory.activations > 0
    assert 0 < (planned.available_bytes or 0) <= total
