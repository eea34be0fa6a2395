"""Pre-trains the embedded base on token shards; resumable at any moment.

    python -m tutelage.bases.pretrain TOKENS WORK --tokens 60e6 [--start FOLDER]

The learning rate is flat, then falls to zero over the last 30 %, so a run may be given a
larger or smaller budget while it is under way. With `--start` it goes on from a base that was
exported earlier: the rate climbs again, the tokens seen before count, and none is drawn twice.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tutelage.bases.batches import Batches
from tutelage.engine.architecture import Architecture, Layer
from tutelage.engine.attention import Layout, layout
from tutelage.engine.flat import FlatBackbone
from tutelage.engine.logprob import logprobs, supervised_loss
from tutelage.engine.optimizer import AdamW, Muon, sort_weights
from tutelage.engine.projection import initialise
from tutelage.engine.rope import Rope

log = logging.getLogger(__name__)

ROPE = Rope(base=10000.0, width=64)
SHAPE = Architecture(
    family="llama",
    vocabulary=4096,
    hidden=256,
    heads=4,
    key_heads=4,
    head_width=64,
    inner=704,
    context=2048,
    norm_epsilon=1e-5,
    tied=True,
    attention=(Layer(rope=ROPE),) * 8,
)
STEP_TOKENS = 8192
DECAY = 0.3
WARMUP_STEPS = 60
MUON_RATE, ADAM_RATE = 0.02, 3e-3
CLIP_NORM = 1.0
EVALUATE_STEPS, SAVE_SECONDS = 400, 240


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the run is, what an earlier one gave it included."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    begun: int = 0  # the step at which this run's optimizers were new


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run from warm-up to a rate of zero; a base may have been through several."""

    steps: int
    tokens: int
    note: str = ""  # what the table of components does not tell


STAGES = "pretraining.json"


def read_stages(folder: Path) -> list[Stage]:
    """The runs an exported base has been through, in order."""
    listed = json.loads((folder / STAGES).read_text(encoding="utf-8"))["stages"]
    return [Stage(**stage) for stage in listed]


class Pretraining:
    """Everything a step needs; its checkpoint is all that resuming needs."""

    def __init__(
        self, tokens: Path, work: Path, budget: float, *, compiled: bool, start: Path | None = None
    ) -> None:
        self.batches = Batches(tokens)
        self.heldout = _heldout(tokens)
        self.work = work
        self.budget = budget
        self.model = fresh_model(seed=7)
        weights = sort_weights(self.model, [self.model.embedding])
        self.muon = Muon([*weights.matrices], lr=MUON_RATE, weight_decay=0.05)
        self.adam = AdamW(weights.others, lr=ADAM_RATE, betas=(0.9, 0.95))
        self.progress = Progress()
        self.earlier: list[Stage] = []
        if not self._resume() and start:
            self._begin(start)
        self.model.precision = torch.bfloat16
        if compiled:
            self.model.compile()

    def share(self) -> float:
        """Share of the budget that is done."""
        return min(1.0, self.progress.tokens / self.budget)

    def rate(self) -> float:
        """Factor on the learning rates: warm-up, flat, then linear to zero."""
        warm = min(1.0, (self._age() + 1) / WARMUP_STEPS)
        return warm * min(1.0, (1.0 - self.share()) / DECAY)

    def _age(self) -> int:
        return self.progress.step - self.progress.begun

    def length(self) -> int:
        """Tokens a row of this step: short first, now and then the whole context later."""
        share, step = self.share(), self.progress.step
        if share > 0.8:
            return (512, 512, 1024, 512, 512, 512, 512, 2048)[step % 8]
        if share > 0.4:
            return 512 if step % 2 else 256
        return 256

    def step(self) -> float:
        """One update; returns the loss in nats a token."""
        length = self.length()
        rows = STEP_TOKENS // length
        drawn = self.batches.batch(self.progress.step, rows, length, self.share())
        loss = self._gradient(torch.from_numpy(drawn), _even(rows, length))
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        factor = self.rate()
        for optimizer, rate in ((self.muon, MUON_RATE), (self.adam, ADAM_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
                if optimizer is self.muon:
                    group["momentum"] = 0.85 + 0.1 * min(1.0, self._age() / 300)
            optimizer.step()
        self.model.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += STEP_TOKENS
        return loss

    def _gradient(self, drawn: Tensor, plan: Layout) -> float:
        rows, length = drawn.shape[0], drawn.shape[1] - 1
        inputs, targets = drawn[:, :-1].reshape(-1), drawn[:, 1:].reshape(-1)
        position = torch.arange(length).repeat(rows)
        every = torch.arange(rows * length)
        hidden = self.model(inputs, position, plan, every)
        weight = torch.full((len(inputs),), 1.0 / len(inputs))
        loss = supervised_loss(hidden, self.model.head, targets, weight).total
        loss.backward()
        return float(loss.detach())

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Bits per byte of each held-out text."""
        out = {}
        for name, (ids, bytes_per_token) in self.heldout.items():
            rows, length = len(ids), ids.shape[1] - 1
            drawn = torch.from_numpy(ids)
            inputs, targets = drawn[:, :-1].reshape(-1), drawn[:, 1:].reshape(-1)
            position, every = torch.arange(length).repeat(rows), torch.arange(rows * length)
            hidden = self.model(inputs, position, _even(rows, length), every)
            nats = -logprobs(hidden, self.model.head, targets).mean().item()
            out[name] = nats / math.log(2) / bytes_per_token
        return out

    def save(self) -> None:
        """Write the checkpoint whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "progress": asdict(self.progress),
            "earlier": [asdict(stage) for stage in self.earlier],
        }
        pending = self.work / "checkpoint.part"
        with pending.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        pending.rename(self.work / "checkpoint.pt")

    def _resume(self) -> bool:
        path = self.work / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.progress = Progress(**state["progress"])
        self.earlier = [Stage(**stage) for stage in state["earlier"]]
        log.info(
            "going on from step %d, %.1f M tokens", self.progress.step, self.progress.tokens / 1e6
        )
        return True

    def _begin(self, start: Path) -> None:
        self.model.load(load_file(start / "model.safetensors"))
        self.earlier = read_stages(start)
        steps = sum(stage.steps for stage in self.earlier)
        tokens = sum(stage.tokens for stage in self.earlier)
        self.progress = Progress(step=steps, tokens=tokens, begun=steps)
        log.info("starting from %s, which has seen %.1f M tokens", start, tokens / 1e6)

    def stages(self) -> list[Stage]:
        """Every run the weights have been through, this one last."""
        steps = self._age()
        tokens = self.progress.tokens - sum(stage.tokens for stage in self.earlier)
        return [*self.earlier, Stage(steps=steps, tokens=tokens)]


def fresh_model(*, seed: int) -> FlatBackbone:
    """The embedded base's shape with random weights."""
    model = FlatBackbone(SHAPE)
    initialise(model, seed=seed, layers=SHAPE.layers)
    return model


def _even(rows: int, length: int) -> Layout:
    return layout(np.repeat(np.arange(1, rows + 1) * length, length).astype(np.int32))


def _heldout(
    tokens: Path, *, rows: int = 32, length: int = 256
) -> dict[str, tuple[np.ndarray, float]]:
    mixture = json.loads((tokens / "mixture.json").read_text(encoding="utf-8"))
    out = {}
    for path in sorted((tokens / "heldout").glob("*.bin")):
        ids = np.fromfile(path, dtype=np.uint16)
        count = min(rows, len(ids) // (length + 1))
        listed = mixture["components"].get(path.stem, {}).get("heldout")
        if count and listed:
            even = np.linspace(0, len(ids) - length - 1, count).astype(int)
            windows = np.stack([ids[at : at + length + 1] for at in even]).astype(np.int64)
            out[path.stem] = (windows, listed["bytes"] / listed["tokens"])
    return out


def run(training: Pretraining) -> None:
    """Train to the end of the budget, saving and measuring on the way."""
    journal = training.work / "pretrain.jsonl"
    saved = noted = time.monotonic()
    losses: list[float] = []
    while training.share() < 1.0:
        losses.append(training.step())
        now, progress = time.monotonic(), training.progress
        if progress.step % 20 == 0:
            progress.seconds += now - noted
            row: dict[str, object] = {
                "step": progress.step,
                "tokens": progress.tokens,
                "loss": round(sum(losses) / len(losses), 4),
                "tokens_per_second": round(20 * STEP_TOKENS / (now - noted)),
                "rate": round(training.rate(), 4),
            }
            losses, noted = [], now
            if progress.step % EVALUATE_STEPS == 0:
                row["bits_per_byte"] = {k: round(v, 4) for k, v in training.evaluate().items()}
                noted = time.monotonic()
            with journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if now - saved > SAVE_SECONDS:
            training.save()
            saved = now
    training.save()


def main() -> None:
    parser = argparse.ArgumentParser(description="Pre-train the embedded base.")
    parser.add_argument("tokens", type=Path, help="folder of token shards")
    parser.add_argument("work", type=Path, help="folder of the checkpoint and the journal")
    parser.add_argument("--tokens", dest="budget", type=float, default=60e6)
    parser.add_argument("--start", type=Path, help="folder of an exported base to go on from")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--eager", action="store_true", help="do not compile")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    training = Pretraining(
        given.tokens, given.work, given.budget, compiled=not given.eager, start=given.start
    )
    run(training)
    log.info("done: %.1f M tokens, %s", training.progress.tokens / 1e6, training.evaluate())


if __name__ == "__main__":
    main()
