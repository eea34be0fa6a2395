"""Whether every method learns with every optimizer on the small base, and what each takes.

    python benchmarks/matrix.py [METHOD ...]

Trains the first rows of `examples/intents` for 30 steps on `tutelage/tiny` with each method and
each optimizer at its default rate, goes on from a checkpoint after 15 as if broken off there, and
reads the saved files with plain transformers and PEFT. One JSON line each goes to
`benchmarks/results/matrix.jsonl`: `value` is by how many nats a supervised token the loss on `n`
other lessons fell, with a normal 95 % interval over lessons; `resumed` says whether the training
gone on with came to the same bits; `apart` is the greatest difference of a logit between this
engine and theirs, in float32. Seconds are those of the processor, not of the clock.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from methods import RESULTS, ROOT, commit, hardware
from torch import Tensor
from transformers import AutoModelForCausalLM

from tutelage.core.conversation import Message
from tutelage.core.recipe import Train, loads
from tutelage.core.row import Example, Source
from tutelage.engine.adapted import stored_bytes
from tutelage.engine.adapter import apply_adapter
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.logprob import logprobs
from tutelage.render.contract import Contract
from tutelage.render.pack import pack
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.run import Run
from tutelage.train import checkpoint
from tutelage.train.batch import Batch, batch_of
from tutelage.train.checkpoint import Optimizers, State
from tutelage.train.schedule import peak_rate, rate_factor
from tutelage.train.step import clip, gradient
from tutelage.train.weights import Learner, open_learner, open_optimizers

STEPS, ROW_TOKENS, HELD = 30, 256, 32
BASE = "tutelage/tiny"
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "lora": {},
    "rslora": {"lora": {"rslora": True}},
    "dora": {"lora": {"dora": True}},
    "lora+": {"lora": {"plus": 16}},
    "pissa": {"lora": {"init": "pissa"}},
    "qlora nf4": {"method": "qlora"},
    "qlora int8": {"method": "qlora", "lora": {"quantisation": "int8"}},
}
OPTIMIZERS = ("adamw", "adamw8bit", "muon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The base, a run, and what is taught and held out: a batch a step."""

    base: BaseFolder
    run: Run
    steps: list[Batch]
    held: list[Batch]
    lessons: list[np.ndarray[Any, np.dtype[np.int32]]]  # of each held batch, by edge


def main() -> None:
    chosen = sys.argv[1:] or list(METHODS)
    torch.set_num_threads(1)
    lines: list[dict[str, object]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.open(loads("name: a").at(Path(folder))) as run,
    ):
        place = prepared(run)
        for method in chosen:
            for optimizer in OPTIMIZERS:
                lines.append(measure(method, optimizer, place))
                print(json.dumps(lines[-1]), file=sys.stderr)
                text = "".join(json.dumps(line) + "\n" for line in lines)
                RESULTS.mkdir(exist_ok=True)
                (RESULTS / "matrix.jsonl").write_text(text, encoding="utf-8")


def prepared(run: Run) -> Place:
    """The example's first rows, rendered and packed: a row a step, the next ones held out."""
    base = find_base(BASE, ROOT)
    contract = Contract.open(loads("name: a").contract, base, loads("name: a"))
    path = ROOT / "examples" / "intents" / "data" / "train.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][::7]
    keys = {"system": "instruction", "user": "input", "assistant": "output"}
    examples = [
        Example(
            messages=tuple(Message(role=role, content=row[key]) for role, key in keys.items()),
            origin="human",
            licence="CC0-1.0",
            source=Source(uri=path.name, line=at),
        )
        for at, row in enumerate(rows)
    ]
    lessons = [lesson for one in contract.lessons_of(examples) for lesson in one.lessons]
    held = pack(lessons[:HELD], ROW_TOKENS, run.generator("held"), share=True)
    taught = pack(lessons[HELD:], ROW_TOKENS, run.generator("taught"), share=True)
    return Place(
        base=base,
        run=run,
        steps=[batch_of(taught[at]) for at in range(STEPS)],
        held=[batch_of(row) for row in held],
        lessons=[row.lesson for row in held],
    )


def measure(method: str, optimizer: str, place: Place) -> dict[str, object]:
    """One training and all that is asked of it."""
    keys: dict[str, Any] = {"base": BASE, "precision": "fp32", "optimizer": optimizer}
    section = Train.model_validate(keys | METHODS[method])
    learner, optimizers, rate = opened(section, place)
    before = held_losses(learner.backbone, place)
    began = time.process_time()
    train(section, (learner, optimizers), place, range(STEPS // 2))
    checkpoints = place.run.store.checkpoints(f"{method}-{optimizer}")
    rows = [{"step": float(step)} for step in range(1, STEPS // 2 + 1)]
    state = State(step=STEPS // 2, rows=rows)
    checkpoint.saving(checkpoints, state, learner, optimizers)()
    train(section, (learner, optimizers), place, range(STEPS // 2, STEPS))
    seconds = (time.process_time() - began) / STEPS
    fell = before - held_losses(learner.backbone, place)

    again, resumed, _ = opened(section, place)
    checkpoint.resume(checkpoints, again, resumed)
    train(section, (again, resumed), place, range(STEPS // 2, STEPS))
    ended = again.state()
    same = all(torch.equal(value, ended[name]) for name, value in learner.state().items())
    spread = 1.96 * float(fell.std(ddof=1)) / len(fell) ** 0.5
    return {
        "benchmark": "matrix/intents",
        "method": method,
        "optimizer": optimizer,
        "value": float(fell.mean()),
        "unit": "nats a supervised token",
        "n": len(fell),
        "low": float(fell.mean()) - spread,
        "high": float(fell.mean()) + spread,
        "before": float(before.mean()),
        "learning_rate": rate,
        "steps": STEPS,
        "resumed": same,
        "apart": apart(learner, place),
        "step_seconds": round(seconds, 3),
        "trained_parameters": sum(x.numel() for x in learner.trainable().values()),
        "optimizer_bytes": state_bytes(optimizers),
        "packed_base_bytes": stored_bytes(learner.backbone.module),
        "commit": commit(),
        "hardware": hardware(),
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
    }


def opened(section: Train, place: Place) -> tuple[Learner, Optimizers, float]:
    """A learner and its optimizers at the default rate."""
    learner = open_learner(section, place.base, place.run)
    rate = peak_rate(section, learner.parameters())
    return learner, open_optimizers(section, learner, rate), rate


def train(
    section: Train, what: tuple[Learner, Optimizers], place: Place, steps: Sequence[int]
) -> None:
    """These steps of the plan."""
    learner, optimizers = what
    for step in steps:
        gradient(learner.backbone, [place.steps[step]])
        clip(list(learner.trainable().values()), section.clip_norm)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_factor(section, step, STEPS)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def held_losses(backbone: Backbone, place: Place) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean loss of each held-out lesson."""
    losses, edges = np.zeros(HELD), np.zeros(HELD)
    for batch, lesson in zip(place.held, place.lessons, strict=True):
        hidden = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
        found = -logprobs(hidden, backbone.head, batch.target).numpy()[: len(lesson)]
        np.add.at(losses, lesson, found)
        np.add.at(edges, lesson, 1)
    return losses / edges


def apart(learner: Learner, place: Place) -> float:
    """Greatest difference of a logit between this engine and plain transformers and PEFT."""
    ids = place.held[0].tokens[:64]
    with tempfile.TemporaryDirectory() as folder:
        learner.save(Path(folder))
        ours = open_backbone(place.base, precision=torch.float32, frozen=True)
        apply_adapter(ours, Path(folder))
        every, plan = torch.arange(64), layout(np.full(64, 64, dtype=np.int32))
        with torch.no_grad():
            found = ours.hidden(ids, every, plan, every) @ ours.head.T
        return float((found - theirs(place.base, Path(folder), ids)).abs().max())


def theirs(base: BaseFolder, adapter: Path, ids: Tensor) -> Tensor:
    """Logits of the saved files by plain transformers and PEFT."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries they import
        from peft import PeftModel

        whole = (adapter / "tuned.json").exists()
        if whole:
            (adapter / "config.json").write_bytes((base.folder / "config.json").read_bytes())
        folder = adapter if whole else base.folder
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if not whole:
            model = PeftModel.from_pretrained(model, adapter)
        found: Tensor = model.eval()(ids[None]).logits[0]
    return found


def state_bytes(optimizers: Optimizers) -> int:
    """Bytes of what the optimizers remember."""
    states = [state for one, _ in optimizers for state in one.state.values()]
    held = [x for state in states for x in state.values() if isinstance(x, Tensor)]
    return sum(x.numel() * x.element_size() for x in held)


if __name__ == "__main__":
    main()
