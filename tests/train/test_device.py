from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.engine.models import saved_model
from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.engine.backbone import open_backbone
from tutelage.engine.device import best_device, choose_precision, has_kernels
from tutelage.engine.local import LocalEngine
from tutelage.train.budget import check_fits, counted_memory
from tutelage.train.device import compiles, repeatable
from tutelage.train.room import Room
from tutelage.train.weights import Learner

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_sums_are_taken_in_one_order_on_a_cuda_device_and_left_alone_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    base, _ = saved_model("llama", tmp_path)
    flat = open_backbone(base, precision=torch.float32)
    theirs = open_backbone(base, precision=torch.float32, force_hf=True)
    for backbone, device in ((flat, CPU), (theirs, CUDA)):
        with repeatable(backbone, device):
            assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="on the way"), repeatable(flat, CUDA):
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        raise RuntimeError("on the way")
    assert not torch.are_deterministic_algorithms_enabled()
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


def test_the_processors_room_is_the_machines_memory() -> None:
    room = Room(device=CPU)
    assert not room.apart
    assert 0 < room.held() <= 1.1 * room.peak()  # the system counts them by different clocks
    assert (room.free() or 1) > 0


def test_a_devices_memory_holds_the_weights_and_no_checkpoint(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    backbone = open_backbone(base, precision=torch.float32)
    learner = Learner(backbone=backbone, base="b", lora=None, adapters={}, size=1)
    section = Train(base="b", method="full")
    here, there = (counted_memory(section, learner, apart=apart) for apart in (False, True))
    assert there.checkpoint == 0
    assert there.counted == 4 * there.weights  # a gradient and two moments beside each
    assert here.checkpoint == 3 * here.weights
    check_fits(section, there, there.counted, 10, apart=True)
    with pytest.raises(TrainingError, match="GiB on its device"):
        check_fits(section, there, there.counted - 1, 10, apart=True)
    check_fits(section, here, there.counted - here.weights + here.checkpoint, 10)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_without_a_cuda_device_all_is_computed_on_the_processor(tmp_path: Path) -> None:
    assert best_device() == CPU
    assert not has_kernels(CPU)
    assert not has_kernels(CUDA)
    base, _ = saved_model("llama", tmp_path)
    engine = LocalEngine.open(base, None, decode=str)
    assert engine._backbone.embeddings[0].device == CPU
    assert engine._backbone.precision == choose_precision("auto")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_cuda_device_compiles_with_triton(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no Triton is there"):
        compiles(Train(base="b", compile="always"), 1, CUDA)
    assert not compiles(Train(base="b"), 10**9, CUDA)


def test_frozen_weights_are_opened_in_few_bytes_and_are_those_rounded(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    wide = open_backbone(base, precision=torch.float32).export()
    narrow = open_backbone(base, precision=torch.bfloat16, frozen=True).export()
    assert {x.dtype for x in narrow.values()} == {torch.bfloat16}
    assert all(torch.equal(x.bfloat16(), narrow[name]) for name, x in wide.items())
