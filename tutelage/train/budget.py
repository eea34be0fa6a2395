"""Memory and money of a training: what can be counted before a step, and what a plan comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.engine.adamw8bit import moment_bytes
from tutelage.engine.optimizer import sort_weights
from tutelage.train.weights import Learner

WORD = 4  # bytes of an fp32 number, which optimizers' states are
JOULES_A_KWH = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of a training by what they hold; activations are what a probe adds to the rest."""

    weights: int
    gradients: int
    optimizer: int
    checkpoint: int  # the copy that is written while training goes on, if it is held there
    activations: int = 0
    process: int = 0  # the interpreter, its libraries and the lessons' index

    @property
    def counted(self) -> int:
        """All that follows from shapes."""
        return self.weights + self.gradients + self.optimizer + self.checkpoint

    @property
    def total(self) -> int:
        """The most that is held at once."""
        return self.counted + self.activations + self.process


def counted_memory(section: Train, learner: Learner, *, apart: bool = False) -> Memory:
    """Weights, gradients, optimizer state and the checkpoint's copy, from their shapes.

    `apart`: on a device, whose memory the copy is not in.
    """
    module = learner.backbone.module
    every = {id(one): one for one in (*module.parameters(), *module.buffers())}
    trained = sum(one.numel() * one.element_size() for one in learner.trainable().values())
    state = _state_bytes(section, learner)
    return Memory(
        weights=sum(one.numel() * one.element_size() for one in every.values()),
        gradients=trained,
        optimizer=state,
        checkpoint=0 if apart else trained + state,
    )


def cast_bytes(learner: Learner) -> int:
    """Trained weights once more in the precision they are multiplied in, where that is another;
    a pass makes them, so that a probe sees them among its activations.
    """
    precision = learner.backbone.precision
    weights = [one for one in learner.trainable().values() if one.dtype != precision]
    return precision.itemsize * sum(one.numel() for one in weights)


def _state_bytes(section: Train, learner: Learner) -> int:
    """What the optimizers keep: two numbers a weight, in eight bits or in fp32; Muon one a
    matrix's.
    """
    found = sort_weights(learner.backbone.module, learner.backbone.embeddings)
    matrices = [one.weight.numel() for one in found.matrices]
    others = [one.numel() for one in found.others]
    if section.optimizer == "adamw8bit":
        return sum(map(moment_bytes, [*matrices, *others]))
    return WORD * (sum(matrices) * (1 if section.optimizer == "muon" else 2) + 2 * sum(others))


def remedies(section: Train, memory: Memory, longest: int) -> list[str]:
    """Keys that would spare memory, the one that spares most first."""
    spared: dict[str, float] = {}
    if section.method == "full":
        spared["`train.method: lora`"] = 0.9 * (memory.counted - memory.weights)
    elif section.precision == "fp32":
        spared["`train.precision: bf16`"] = 0.5 * memory.weights
    if section.method == "lora":
        spared["`train.method: qlora`"] = 0.7 * memory.weights
    if section.optimizer != "adamw8bit":
        spared["`train.optimizer: adamw8bit`"] = 0.7 * memory.optimizer
    if section.gradient_checkpointing == "none":
        spared["`train.gradient_checkpointing: full`"] = 0.4 * memory.activations
    if section.rows_tokens > longest:
        share = 1 - longest / section.rows_tokens
        spared[f"`train.rows_tokens: {longest}`"] = share * memory.activations
    ranked = sorted(spared.items(), key=lambda one: -one[1])
    return [name for name, bytes_ in ranked if bytes_ > 0] or ["a smaller base"]


def check_fits(
    section: Train, memory: Memory, available: int | None, longest: int, *, apart: bool = False
) -> None:
    """Whether what can be counted fits, before a step is tried.

    `apart`: on a device, which does not hold the weights yet.

    Raises: TrainingError that names the keys to change.
    """
    more = memory.counted - (0 if apart else memory.weights)
    if available is None or more <= available:
        return
    what = "on its device" if apart else "beside the base's weights"
    raise TrainingError(
        f"the training needs {more / 2**30:.1f} GiB {what}, "
        f"and {available / 2**30:.1f} GiB are free",
        hint=f"try {', or '.join(remedies(section, memory, longest))}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour costs and draws, where it was told."""

    per_hour: float | None = None
    watts: float | None = None

    def of(self, seconds: float) -> Mapping[str, float]:
        """Cost in the price's own currency, and energy in kWh."""
        found = {}
        if self.per_hour is not None:
            found["cost"] = self.per_hour * seconds / 3600
        if self.watts is not None:
            found["kilowatt_hours"] = self.watts * seconds / JOULES_A_KWH
        return found


def validations(steps: int, every: int) -> int:
    """How often held-out rows are measured: every so many steps, and after the last."""
    return steps // every + (1 if steps % every else 0)
