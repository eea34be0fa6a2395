"""What lm-eval asks of a language model, asked of a base of two layers; without lm-eval."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.micro import micro_base
from tutelage.core.errors import MissingCapability
from tutelage.evaluate.bridge import Bridge


@dataclass(frozen=True)
class Asked:
    args: tuple[Any, ...]


class Fakes:
    """A model class as lm-eval has one, so far as it is needed."""

    class LM:
        rank, world_size = 0, 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return micro_base(tmp_path_factory.mktemp("bridge") / "base")


def asked(*args: Sequence[Any]) -> list[Asked]:
    return [Asked(args=tuple(one)) for one in args]


def test_a_continuation_has_the_log_probability_of_one_forward(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    bridge = Bridge.open(str(folder), precision="fp32")
    pairs = [("the sky is", " blue"), ("the sky is ", "blue"), ("", "milk"), ("the sea", " is")]
    found = bridge.loglikelihood(asked(*pairs))
    assert found[0] == found[1]  # the blank belongs to what follows
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for (first, rest), (logprob, greedy) in zip(pairs, found, strict=True):
        head, whole = bridge._weighing.texts([first.rstrip(), first + rest])
        ids = torch.tensor([whole if head else (bridge._weighing.start, *whole)])
        with torch.no_grad():
            chances = model(ids).logits[0, :-1].log_softmax(-1)
        from_ = max(1, len(head)) - 1
        own = chances[from_:].gather(1, ids[0, from_ + 1 :, None])[:, 0]
        assert logprob == pytest.approx(float(own.sum()), abs=1e-4)
        assert greedy == bool((own == chances[from_:].amax(-1)).all())


def test_a_long_text_is_read_in_windows_that_weigh_every_token_once(folder: Path) -> None:
    bridge = Bridge.open(str(folder), precision="fp32")
    text = "a text that is longer than the context " * 30  # of bytes
    windows = bridge._weighing.windows(text)
    assert len(windows) == 3
    (ids,) = bridge._weighing.texts([text])
    assert [token for one in windows for token in one.completion] == list(ids)
    assert all(len(one) <= bridge._weighing.context + 1 for one in windows)
    assert len(windows[-1]) == bridge._weighing.context + 1  # as much before it as there is room
    (found,) = bridge.loglikelihood_rolling(asked((text,)))
    one_by_one = bridge._ranked(windows)
    assert found == pytest.approx(float(sum(one[:, 0].sum(dtype=np.float64) for one in one_by_one)))


def test_an_answer_is_cut_before_what_ends_it(folder: Path) -> None:
    bridge = Bridge.open(str(folder), precision="fp32")
    (whole,) = bridge.generate_until(asked(("ask", {"until": [], "max_gen_toks": 12})))
    assert len(whole) > 1
    stop = whole[len(whole) // 2]
    (short,) = bridge.generate_until(asked(("ask", {"until": [stop], "max_gen_toks": 12})))
    assert short == whole.split(stop)[0]


def test_greedy_decoding_gives_what_is_called_greedy(folder: Path) -> None:
    bridge = Bridge.open(str(folder), precision="fp32")
    (answer,) = bridge.generate_until(asked(("hello", {"until": [], "max_gen_toks": 4})))
    if answer.isascii():
        ((_, greedy),) = bridge.loglikelihood(asked(("hello", answer)))
        assert greedy


def test_without_lm_eval_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    with pytest.raises(MissingCapability, match="not installed"):
        Bridge.open(str(folder)).language_model()


def test_the_language_model_is_one_of_lm_evals_and_passes_questions_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lm_eval", "lm_eval.api"):
        monkeypatch.setitem(sys.modules, name, Fakes)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", Fakes)  # type: ignore[arg-type]
    bridge = Bridge.open(str(folder), precision="fp32")
    model = bridge.language_model()
    assert isinstance(model, Fakes.LM)
    request = asked(("the sky", " is"))
    assert model.loglikelihood(request) == bridge.loglikelihood(request)
    assert model.loglikelihood_rolling(asked(("sky",))) == bridge.loglikelihood_rolling(
        asked(("sky",))
    )
