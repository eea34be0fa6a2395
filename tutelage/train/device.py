"""Where a training runs, and whether its layers are compiled."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.engine.backbone import Backbone, settle
from tutelage.engine.device import CPU, best_device, has_kernels
from tutelage.engine.optimizer import compiler_spared

if TYPE_CHECKING:
    from tutelage.train.weights import Learner

log = logging.getLogger(__name__)

# A CPU's matrix products are made for each shape they meet, about a megabyte each; a thousand are
# kept unless the environment says otherwise, and training meets new shapes in every row.
SHAPES_KEPT = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
COMPILE_TOKENS = 500_000  # compiling costs what about 100,000 tokens do on two cores


def choose_device(section: Train) -> torch.device:
    """The recipe's device; a CUDA device where there is one, if it names none.

    Raises: TrainingError where it names one there is not.
    """
    device = CPU if section.device == "cpu" else best_device()
    if section.device == "cuda" and device == CPU:
        raise TrainingError(
            "this machine has no CUDA device that torch can use",
            where="train.device",
            expected="cpu or auto",
        )
    return device


def bound_kernels() -> None:
    """Has a CPU keep the products of the last shapes alone; before the first one is computed."""
    os.environ.setdefault(*SHAPES_KEPT)


@contextmanager
def prepared(threads: int | None) -> Iterator[None]:
    """What the process of a training is set to, from before the base is opened to the last step:
    so many CPU threads, torch's own choice where none is named; products of the last shapes; and
    optimizers that leave torch's compiler alone.
    """
    bound_kernels()
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with compiler_spared():
            yield
    finally:
        torch.set_num_threads(before)


def place(learner: Learner, section: Train) -> torch.device:
    """Moves the learner to its device; sharded weights are there."""
    device = choose_device(section)
    if not learner.group.sharded:
        settle(learner.backbone, device)
    log.info("training runs on %s in %s", device, learner.backbone.precision)
    return device


@contextmanager
def repeatable(backbone: Backbone, device: torch.device) -> Iterator[None]:
    """On a CUDA device, sums in the block are taken in one order, so that a step repeats.

    A CPU takes them so anyway. Models of transformers are left as they are: some have parts
    that exist in no such form.
    """
    if device.type != "cuda" or backbone.kind != "flat":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it torch refuses
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def fixed_layers(learner: Learner) -> str:
    """Layers of a kind that nothing compiles; empty where they are of none.

    Those of a quantised base: compiled steps would keep its matrices written out.
    """
    if learner.form is not None:
        return "layers of a quantised base"
    if learner.group.sharded:
        return "sharded layers"
    return "layers of the hf backbone" if learner.backbone.kind != "flat" else ""


def compiles(section: Train, tokens: int, device: torch.device = CPU, *, fixed: str = "") -> bool:
    """Whether layers are compiled: as the recipe says, or where so many planned tokens pay.

    `fixed`: what they are, where that is not compiled.

    Raises: TrainingError where they must be and cannot.
    """
    if section.compile == "always" and fixed:
        raise TrainingError(
            f"{fixed} are not compiled", where="train.compile", expected="auto or never"
        )
    missing = _missing(device)
    able = not missing and not fixed
    if section.compile == "always" and missing:
        raise TrainingError(
            f"no {missing} is there to compile layers with",
            where="train.compile",
            expected="Triton, and `gcc` or `clang`"
            if device.type == "cuda"
            else "`g++` or `clang++` on the path",
            hint="install one, or set `train.compile: auto`",
        )
    wanted = tokens >= COMPILE_TOKENS if section.compile == "auto" else section.compile == "always"
    log.info("layers are %s", "compiled" if wanted and able else "run as they are")
    return wanted and able


def _missing(device: torch.device) -> str:
    """What is not there of that which compiles layers; empty where all is."""
    if device.type == "cuda":
        if not has_kernels(device):
            return "Triton"
        return "" if any(map(shutil.which, ("gcc", "clang", "cc"))) else "C compiler"
    return "" if any(map(shutil.which, ("g++", "clang++"))) else "C++ compiler"
