"""What is frozen, what is gone on from, and noise: the weights a training begins with and moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.models import lessons, saved_model
from tests.journey.project import build
from tests.micro import micro_base
from tests.release.project import released
from tests.train.test_keys import trained, weights
from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import BaseModelError, RecipeError
from tutelage.core.recipe import Train, loads
from tutelage.engine.backbone import open_backbone
from tutelage.engine.optimizer import AdamW
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.engine.release import open_release
from tutelage.render.pack import pack
from tutelage.store.base import BaseFolder
from tutelage.store.run import Run
from tutelage.train.batch import Batch, batch_of
from tutelage.train.noise import lesson_lengths, noisy
from tutelage.train.step import gradient, validation_loss
from tutelage.train.weights import Learner, open_learner, open_optimizers

ASKED = Conversation(messages=(Message(role="user", content="my lamp is broken"),))
LORA = ("train.method=lora", "train.lora.rank=4")
CHANGES = {
    "lora.rslora": (LORA, ("train.lora.rslora=true",)),
    "lora.dora": (LORA, ("train.lora.dora=true",)),
    "lora.init": (LORA, ("train.lora.init=pissa",)),
    "lora.plus": (LORA, ("train.lora.plus=4",)),
    "lora.plus with muon": ((*LORA, "train.optimizer=muon"), ("train.lora.plus=4",)),
    "method: qlora": (LORA, ("train.method=qlora",)),
    "lora.quantisation": (
        ("train.method=qlora", "train.lora.rank=4"),
        ("train.lora.quantisation=int8",),
    ),
    "optimizer: adamw8bit": ((), ("train.optimizer=adamw8bit",)),
    "freeze": ((), ("train.freeze=[model.embed_tokens]",)),
    "label_smoothing": ((), ("train.label_smoothing=0.1",)),
    "z_loss": ((), ("train.z_loss=0.01",)),
    "neftune": ((), ("train.neftune=5",)),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("key", list(CHANGES))
def test_a_key_changes_the_adapter(project: Path, key: str) -> None:
    before, change = CHANGES[key]
    first, second = trained(project, *before), trained(project, *before, *change)
    assert weights(first) != weights(second)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("method: lora, lora: {quantisation: nf4}", "`lora.quantisation` has no effect"),
        ("method: qlora, freeze: [lm_head]", "`freeze` has no effect"),
        ("method: full, lora: {rank: 8}", "`lora.rank` has no effect with `method: full`"),
        ("method: full, lora: {init: pissa}", "`lora.init` has no effect with `method: full`"),
        ("sinks: [mlflow, mlflow]", "`mlflow` is named twice"),
        ("method: full, freeze: [lm_head, norm, lm_head]", "`lm_head` is named twice"),
        ("lora: {targets: [q_proj, q_proj]}", "`q_proj` is named twice"),
        ("lora: {alpha: 1.0e300}", "alpha"),
        ("start_from: a, lora: {init: pissa}", "`start_from` brings the weights"),
    ],
)
def test_a_key_without_effect_is_refused(keys: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        loads(f"name: a\ntrain: {{base: base, {keys}}}")
    assert says in str(caught.value)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[BaseFolder, Run]]:
    base, _ = saved_model("qwen2", tmp_path / "base")
    with Run.open(loads("name: a").at(tmp_path)) as run:
        yield base, run


def asked(**keys: Any) -> Train:
    return Train.model_validate({"base": "base", "precision": "fp32", "weight_decay": 0.1} | keys)


def batches() -> list[Batch]:
    return [batch_of(row) for row in pack(lessons(), 400, np.random.default_rng(0), share=True)]


def stepped(place: tuple[BaseFolder, Run], **keys: Any) -> Learner:
    """A learner after one step."""
    learner = open_learner(asked(**keys), *place)
    gradient(learner.backbone, batches())
    for optimizer, _ in open_optimizers(asked(**keys), learner, 0.01):
        optimizer.step()
    return learner


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "muon"])
def test_frozen_weights_stay_and_all_others_move(
    place: tuple[BaseFolder, Run], optimizer: str
) -> None:
    patterns = ["model.embed_tokens", r"model\.layers\.0\..*", "post_attention_layernorm"]
    before = open_learner(asked(method="full"), *place).backbone.export()
    learner = stepped(place, method="full", freeze=patterns, optimizer=optimizer)
    after = learner.backbone.export()
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert same == {
        name
        for name in before
        if name == "model.embed_tokens.weight"
        or name.startswith("model.layers.0.")
        or "post_attention_layernorm" in name
    }


def test_muon_with_no_matrix_left_moves_the_rest_at_their_own_rate(
    place: tuple[BaseFolder, Run],
) -> None:
    section = asked(method="full", freeze=[".*proj.*"], optimizer="muon")
    learner = open_learner(section, *place)
    ((only, rate),) = open_optimizers(section, learner, 0.01)
    whole = open_optimizers(asked(method="full", optimizer="muon"), learner, 0.01)
    assert isinstance(only, AdamW)
    assert rate == whole[-1][1] < 0.01


def test_what_cannot_be_frozen_is_told_together(place: tuple[BaseFolder, Run]) -> None:
    with pytest.raises(BaseModelError) as caught:
        open_learner(asked(method="full", freeze=["wte", r".*\.1\..*q_proj\.weight"]), *place)
    wrong, joined = caught.value.rows
    assert (wrong.where, wrong.problem) == ("wte", "names no weight")
    assert joined.where == "model.layers.1.self_attn.q_proj.weight"
    assert "k_proj" in joined.problem
    with pytest.raises(BaseModelError, match="every weight is frozen"):
        open_learner(asked(method="full", freeze=[".*"]), *place)


@pytest.mark.parametrize(
    "keys",
    [
        {"method": "full"},
        {"lora": {"rank": 4}},
        {"lora": {"rank": 4, "dora": True, "rslora": True}},
        {"method": "qlora"},
    ],
)
def test_a_training_goes_on_from_an_earlier_adapter(
    place: tuple[BaseFolder, Run], keys: dict[str, Any], tmp_path: Path
) -> None:
    learner = stepped(place, **keys)
    learner.save(tmp_path / "before")
    again = open_learner(asked(start_from="before", **keys), *place)
    expected = validation_loss(learner.backbone, batches())
    near = 1e-2 if keys.get("method") == "full" else 1e-6  # full tuning is saved in bf16
    assert validation_loss(again.backbone, batches()) == pytest.approx(expected, abs=near)
    fresh = open_learner(asked(**keys), *place)
    assert validation_loss(fresh.backbone, batches()) > expected + 2 * near


def test_an_adapter_of_another_shape_is_told_with_all_that_differs(
    place: tuple[BaseFolder, Run], tmp_path: Path
) -> None:
    stepped(place, lora={"rank": 4, "targets": ["q_proj"]}).save(tmp_path / "before")
    with pytest.raises(BaseModelError) as caught:
        open_learner(asked(start_from="before", lora={"rank": 8, "dora": True}), *place)
    said = {row.where: row.problem for row in caught.value.rows}
    assert said["train.lora.rank"] == "4 there, 8 in the recipe"
    assert said["train.lora.dora"] == "False there, True in the recipe"
    assert said["train.lora.targets, layers"].startswith("model.layers.0.self_attn.q_proj")
    with pytest.raises(BaseModelError, match="holds low-rank weights"):
        open_learner(asked(start_from="before", method="full"), *place)
    with pytest.raises(BaseModelError, match="no folder and no artifact is named `gone`"):
        open_learner(asked(start_from="gone"), *place)


def test_an_adapter_of_another_width_is_told_layer_by_layer(
    place: tuple[BaseFolder, Run], tmp_path: Path
) -> None:
    stepped(place, lora={"rank": 4, "targets": ["q_proj"]}).save(tmp_path / "before")
    file = tmp_path / "before" / "adapter_model.safetensors"
    saved = load_file(file)
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"
    save_file({**saved, name: saved[name][:, :1].contiguous()}, file)  # copying would spread it
    with pytest.raises(BaseModelError, match="another shape") as caught:
        open_learner(asked(start_from="before", lora={"rank": 4, "targets": ["q_proj"]}), *place)
    assert [(row.where, row.problem) for row in caught.value.rows] == [
        ("model.layers.1.self_attn.q_proj", "64 x 1 there, 64 x 64 here")
    ]


def test_an_artifact_gone_on_from_enters_the_provenance(project: Path) -> None:
    first = trained(project, *LORA)
    other = trained(project, *LORA, "train.lora.alpha=4")
    second = trained(project, *LORA, f"train.start_from={first.name}")
    assert second.manifest.inputs["start_from"]
    assert weights(second) != weights(first)
    folder = f"train.start_from={first.folder.relative_to(project)}"
    assert trained(project, *LORA, folder).name == second.name  # found by what it holds
    with pytest.raises(BaseModelError, match="another shape"):
        trained(project, *LORA, f"train.start_from={other.name}")


def test_an_artifact_of_another_base_is_refused(project: Path) -> None:
    first = trained(project, *LORA)
    micro_base(project / "other", seed=9)
    with pytest.raises(BaseModelError, match="was trained on another base"):
        trained(project, *LORA, "train.base=other", f"train.start_from={first.name}")


def test_a_token_takes_the_length_of_its_longest_lesson() -> None:
    #          0 1 2 3 4   a fork after 1: 2 3 4 and 2 3; then a lesson of two
    position = [0, 1, 2, 3, 4, 2, 3, 0, 1]
    assert lesson_lengths(position) == [5, 5, 5, 5, 5, 4, 4, 2, 2]
    assert lesson_lengths([]) == []


@pytest.mark.parametrize("force_hf", [False, True], ids=["flat", "hf"])
def test_noise_is_as_great_as_the_lesson_allows_and_ends_with_the_block(
    place: tuple[BaseFolder, Run], force_hf: bool
) -> None:
    backbone = open_backbone(place[0], precision=torch.float32, force_hf=force_hf)
    (batch,) = batches()
    seen: list[torch.Tensor] = []
    with torch.no_grad():
        plain = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
        with torch.random.fork_rng(devices=[]), noisy(backbone, 5.0, batch.position):
            torch.manual_seed(0)
            inner = backbone.on_embeddings
            assert inner is not None
            backbone.on_embeddings = lambda x: (seen.extend((x, inner(x))), seen[1])[1]
            moved = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
        after = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
    assert torch.equal(after, plain)
    assert not torch.allclose(moved, plain, atol=1e-2)
    noise = (seen[1] - seen[0]).reshape(len(batch.tokens), -1)
    lengths = torch.tensor(lesson_lengths(batch.position.tolist()), dtype=torch.float32)
    bound = 5.0 / (lengths * noise.shape[1]).sqrt()
    share = noise.abs() / bound[:, None]
    assert 0.99 < float(share.max()) <= 1.0001
    assert float(share.mean()) == pytest.approx(0.5, abs=0.02)


def test_noise_is_drawn_from_the_stream_of_the_row(place: tuple[BaseFolder, Run]) -> None:
    losses = []
    for seed in (1, 1, 2):
        backbone = open_backbone(place[0], precision=torch.float32)
        rows = [replace(one, seed=seed + at) for at, one in enumerate(batches())]
        losses.append(gradient(backbone, rows, neftune=5.0).loss)
    assert losses[0] == losses[1] != losses[2]


def test_a_quantised_adapter_walks_to_a_release_that_answers(tmp_path: Path) -> None:
    walks(tmp_path, "qlora\n  lora: {rank: 4, dora: true, rslora: true}")


def test_an_adapted_head_walks_to_a_release_that_answers(tmp_path: Path) -> None:
    walks(tmp_path, "lora\n  lora: {rank: 4, targets: [lm_head, q_proj]}")


def walks(folder: Path, method: str) -> None:
    release = released(folder, method=method)
    assert release.form["adapter"]["layout"] == "lora"
    opened = open_release(release, base=str(folder / "base"))
    prompt = Prompt(ids=opened.contract.prompt_ids(ASKED))
    (generation,) = opened.engine.generate([prompt], Decoding(max_new_tokens=4))
    assert generation.ids
