from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import lessons, saved_model
from tutelage.core.errors import BaseModelError, ContractError
from tutelage.engine.adapter import LoraShape, attach_lora, save_lora, save_tuned
from tutelage.engine.backbone import open_backbone
from tutelage.engine.flat_decoder import rows_for, shared_prefix
from tutelage.engine.growing import choose
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Prompt
from tutelage.render.pack import pack

PROMPTS = [Prompt(ids=lesson.prompt) for lesson in lessons()]
GREEDY = Decoding(max_new_tokens=12, stop=(7,))


def decode(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


def answers(engine: LocalEngine, prompts: Sequence[Prompt], decoding: Decoding) -> list[str]:
    return [generation.text for generation in engine.generate(prompts, decoding)]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_greedy_answers_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    base, model = saved_model(family, tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    expected = []
    for prompt in PROMPTS:
        ids = torch.tensor([prompt.ids])
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=7,
            pad_token_id=0,
        )
        expected.append(
            decode([token for token in out[0, len(prompt.ids) :].tolist() if token != 7])
        )
    assert answers(engine, PROMPTS, GREEDY) == expected


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_answers_do_not_depend_on_batch_or_order(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    together = answers(engine, PROMPTS, GREEDY)
    assert [answers(engine, [prompt], GREEDY)[0] for prompt in PROMPTS] == together
    assert answers(engine, PROMPTS[::-1], GREEDY) == together[::-1]


@pytest.mark.parametrize("shared", [3, 40])
def test_a_prefix_computed_once_changes_no_answer(shared: int, tmp_path: Path) -> None:
    base, _ = saved_model("qwen3", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    draw = np.random.default_rng(1)
    prefix = tuple(draw.integers(9, 60, shared).tolist())
    ends = [tuple(draw.integers(9, 60, length).tolist()) for length in (1, 2, 5, 33, 70) * 3]
    prompts = [Prompt(ids=prefix + end) for end in ends]
    assert shared_prefix([prompt.ids for prompt in prompts]) == (40 if shared == 40 else 0)
    alone = [answers(engine, [prompt], GREEDY)[0] for prompt in prompts]
    assert answers(engine, prompts, GREEDY) == alone


def test_sequences_that_end_leave_the_others_as_they_are(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    model = open_backbone(base, precision=torch.float32)
    draw = np.random.default_rng(2)
    prompts = [tuple(draw.integers(9, 60, length).tolist()) for length in range(3, 23)]
    kept = torch.tensor([1, 4, 17])
    decoder = model.decoder()
    decoder.start(prompts, 8)
    decoder.keep(kept)
    alone = model.decoder()
    alone.start([prompts[1], prompts[4], prompts[17]], 8)
    for token in (11, 12):
        tokens = torch.tensor([token, token + 1, token + 2])
        torch.testing.assert_close(decoder.extend(tokens), alone.extend(tokens))


def test_batches_come_in_few_sizes() -> None:
    assert [rows_for(count) for count in (1, 3, 8, 9, 33, 65, 250)] == [1, 4, 8, 16, 48, 96, 256]


def test_a_streamed_answer_is_the_generated_one(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    sampled = Decoding(max_new_tokens=9, temperature=1.0, top_p=0.9, seed=3)
    for decoding in (GREEDY, sampled):
        chunks = list(engine.stream(PROMPTS[0], decoding))
        assert "".join(chunk.text for chunk in chunks) == answers(engine, PROMPTS[:1], decoding)[0]
        assert chunks[-1].stop in ("stop", "length")


def test_sampling_repeats_with_its_seed_and_differs_with_another(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    first, again, other = (
        answers(engine, PROMPTS, Decoding(max_new_tokens=9, temperature=1.0, seed=seed))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_drawn_answers_of_named_prompts_do_not_depend_on_batch_or_order(tmp_path: Path) -> None:
    base, _ = saved_model("qwen3", tmp_path)
    drawn = Decoding(max_new_tokens=9, temperature=1.0, top_p=0.9, seed=3, stop=(7,))
    one_by_one, together = (
        LocalEngine.open(base, None, decode=decode, precision="fp32", batch_tokens=tokens)
        for tokens in (1, 10**6)
    )
    named = [replace(PROMPTS[at % 4], name=f"task-{at}") for at in range(32)]
    found = answers(together, named, drawn)
    assert len(set(found[::4])) > 1  # one prompt under eight names: not eight times one answer
    assert answers(one_by_one, named, drawn) == found
    order = np.random.default_rng(0).permutation(32).tolist()
    shuffled = answers(together, [named[at] for at in order], drawn)
    assert shuffled == [found[at] for at in order]
    chunks = together.stream(named[5], drawn)
    assert "".join(chunk.text for chunk in chunks) == found[5]


class Highest(np.random.Generator):
    """Draws the highest number there is below 1, which single precision rounds to 1."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def random(self, *given: object, **more: object) -> float:  # type: ignore[override]
        return 1 - 2.0**-53


def test_no_draw_takes_what_has_no_chance() -> None:
    logits = torch.tensor([[0.0, 1.0, -torch.inf, 0.5, -torch.inf]])
    for top_p, rank in ((1.0, 0), (0.8, 3), (0.1, 1)):
        token, chance = choose(logits, Decoding(temperature=1.0, top_p=top_p), [Highest()])
        assert token.tolist() == [rank]
        assert torch.isfinite(chance).all()


def test_a_narrow_nucleus_is_greedy(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    narrow = Decoding(max_new_tokens=12, temperature=1.0, top_p=1e-6, stop=(7,))
    assert answers(engine, PROMPTS, narrow) == answers(engine, PROMPTS, GREEDY)


def test_scores_are_the_log_probabilities_generation_reports(tmp_path: Path) -> None:
    base, _ = saved_model("qwen3", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    taught = lessons()
    generations = list(engine.generate(PROMPTS, Decoding(max_new_tokens=6)))
    told = [
        type(lesson)(prompt=lesson.prompt, completion=generation.ids)
        for lesson, generation in zip(taught, generations, strict=True)
    ]
    (row,) = pack(told, 600, np.random.default_rng(0), share=True)
    scores = engine.score(row)
    for number, generation in enumerate(generations):
        np.testing.assert_allclose(scores[row.lesson == number], generation.logprobs, atol=1e-4)


def test_a_prompt_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    with pytest.raises(ContractError, match="300 tokens"):
        list(engine.generate([Prompt(ids=(5,) * 300)], GREEDY))


def test_a_temperature_next_to_nothing_takes_the_likeliest_token(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    cold = Decoding(max_new_tokens=8, temperature=1e-40)
    greedy = Decoding(max_new_tokens=8)
    assert answers(engine, PROMPTS, cold) == answers(engine, PROMPTS, greedy)


def test_each_answer_ends_where_its_own_context_ends(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=decode, precision="fp32")
    prompts = [Prompt(ids=(5,) * length) for length in (250, 240)]
    generations = list(engine.generate(prompts, Decoding(max_new_tokens=64)))
    assert [len(generation.ids) for generation in generations] == [6, 16]
    assert [generation.stop for generation in generations] == ["length", "length"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_saved_low_rank_adapter_answers_as_the_trained_one(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path / "base")
    shape = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=None)
    backbone = open_backbone(base, precision=torch.float32, frozen=True)
    adapters = attach_lora(backbone, shape, seed=1)
    plain = answers(LocalEngine.open(base, None, decode=decode, precision="fp32"), PROMPTS, GREEDY)
    for adapter in adapters.values():
        torch.nn.init.normal_(adapter.b, std=0.3, generator=torch.Generator().manual_seed(2))
    folder = tmp_path / "adapter"
    save_lora(folder, adapters, shape, base=base.name, backbone=backbone)
    engine = LocalEngine.open(base, folder, decode=decode, precision="fp32")
    direct = LocalEngine(backbone, engine.identity, decode)
    found = answers(engine, PROMPTS, GREEDY)
    assert found == answers(direct, PROMPTS, GREEDY)
    assert found != plain
    assert engine.identity.adapter


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_all_weights_tuned_answer_on_a_base_that_has_none(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path / "base")
    save_tuned(tmp_path / "adapter", open_backbone(base, precision=torch.float32), base=base.name)
    engine = LocalEngine.open(base, tmp_path / "adapter", decode=decode, precision="fp32")
    expected = answers(engine, PROMPTS, GREEDY)
    (tmp_path / "base" / "model.safetensors").unlink()
    bare = LocalEngine.open(base, tmp_path / "adapter", decode=decode, precision="fp32")
    assert answers(bare, PROMPTS, GREEDY) == expected
    with pytest.raises(BaseModelError, match=r"has no weights|cannot open"):
        LocalEngine.open(base, None, decode=decode, precision="fp32")


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    other, _ = saved_model("gpt2", tmp_path / "other")
    backbone = open_backbone(base, precision=torch.float32)
    save_tuned(tmp_path / "adapter", backbone, base=base.name)
    with pytest.raises(BaseModelError, match="does not fit the base"):
        LocalEngine.open(other, tmp_path / "adapter", decode=decode)


def test_a_target_that_names_no_layer_is_refused(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    backbone = open_backbone(base, precision=torch.float32)
    shape = LoraShape(rank=4, alpha=8.0, dropout=0.0, targets=("q_proj", "query"))
    with pytest.raises(BaseModelError, match="query"):
        attach_lora(backbone, shape, seed=1)
