"""Where a training runs, and whether its layers are compiled."""

from __future__ import annotations

import logging
import shutil

import torch

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.train.weights import Learner

log = logging.getLogger(__name__)

COMPILE_TOKENS = 500_000  # compiling costs what about 100,000 tokens do on two cores


def choose_device(section: Train) -> torch.device:
    """The recipe's device; a CUDA device where there is one, if it names none.

    Raises: TrainingError where it names one there is not.
    """
    there = torch.cuda.is_available()
    if section.device == "cuda" and not there:
        raise TrainingError(
            "this machine has no CUDA device that torch can use",
            where="train.device",
            expected="cpu or auto",
        )
    return torch.device("cuda" if there and section.device != "cpu" else "cpu")


def settle(learner: Learner, section: Train) -> None:
    """Chooses what is computed in, before weights are moved or sharded: on CUDA `auto` is bf16."""
    device = choose_device(section)
    backbone = learner.backbone
    if device.type == "cuda" and section.precision == "auto":
        backbone.precision = torch.bfloat16
        for weight in backbone.module.parameters():
            if not weight.requires_grad:
                weight.data = weight.data.to(torch.bfloat16)


def place(learner: Learner, section: Train) -> torch.device:
    """Moves the learner to its device; sharded weights are there."""
    if not learner.group.sharded:
        settle(learner, section)
    device, backbone = choose_device(section), learner.backbone
    if not learner.group.sharded:
        backbone.module.to(device)
    log.info("training runs on %s in %s", device, backbone.precision)
    return device


def compiles(section: Train, tokens: int) -> bool:
    """Whether layers are compiled: as the recipe says, or where so many planned tokens pay.

    Those of a quantised base are not: compiled steps would keep its matrices written out.

    Raises: TrainingError where they must be and cannot.
    """
    if section.compile == "always" and section.base_form is not None:
        raise TrainingError(
            "layers of a quantised base are not compiled",
            where="train.compile",
            expected="`auto` or `never` with `method: qlora`",
        )
    able = any(map(shutil.which, ("g++", "clang++"))) and section.base_form is None
    if section.compile == "always" and not able:
        raise TrainingError(
            "no C++ compiler is there to compile layers with",
            where="train.compile",
            expected="`g++` or `clang++` on the path",
            hint="install one, or set `train.compile: auto`",
        )
    wanted = tokens >= COMPILE_TOKENS if section.compile == "auto" else section.compile == "always"
    log.info("layers are %s", "compiled" if wanted and able else "run as they are")
    return wanted and able
