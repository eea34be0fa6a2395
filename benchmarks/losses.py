"""Whether 50 steps of ours have the losses of TRL's on the same batches, in fp32.

    python benchmarks/losses.py --rival PYTHON

PYTHON is an interpreter that has trl. Both train the shipped base, and a Qwen3 of random weights,
with AdamW at a constant rate and clipping, eight rows a step in the same order, of the same ids
(of text TRL would also teach the line break behind the stop token). One JSON line a
model is appended to `benchmarks/results/losses.jsonl`: the greatest difference of a step's loss.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

BATCH, STEPS, RATE, BETA, CLIP = 8, 50, 2e-4, 0.95, 1.0
MODELS = ("tutelage/tiny", "7m")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", help="an interpreter that has trl")
    parser.add_argument("--theirs", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.theirs:
        print(json.dumps(theirs(given.theirs)))
        return
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            compare(model, Path(folder), given.rival)


def compare(model: str, folder: Path, rival: str) -> None:
    write(model, folder)
    mine = ours(folder)
    words = [rival, __file__, "--theirs", str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    form = json.loads(done.stdout.splitlines()[-1])
    apart = [abs(a - b) for a, b in zip(mine, form["losses"], strict=True)]
    line = {
        "benchmark": "losses",
        "model": model,
        "steps": len(apart),
        "greatest_difference": max(apart),
        "first": mine[0],
        "last": mine[-1],
        "versions": form["versions"],
        "commit": commit(),
        "hardware": hardware(),
    }
    print(json.dumps(line), file=sys.stderr)
    with (RESULTS / "losses.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def write(model: str, folder: Path) -> None:
    from training import COMMON, SHAPES
    from training_data import BASE, write_base

    if model == "tutelage/tiny":
        (folder / "base").mkdir()
        for path in BASE.iterdir():
            if path.is_file():
                (folder / "base" / path.name).write_bytes(path.read_bytes())
    else:
        write_base(folder / "base", {**COMMON, **SHAPES[model]})
    with gzip.open(ROOT / "examples/intents/data/train.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(BATCH * STEPS), strict=False)]
    columns = {"system": "instruction", "user": "input", "assistant": "output"}
    said = [[{"role": r, "content": row[c]} for r, c in columns.items()] for row in rows]
    text = "".join(json.dumps({"messages": one}) + "\n" for one in said)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")


def conversations(folder: Path) -> list[list[dict[str, str]]]:
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["messages"] for line in file]


def ours(folder: Path) -> list[float]:
    """The loss of each step: a packed row a step, its lessons side by side."""
    import numpy as np

    from tutelage.core.conversation import messages_from
    from tutelage.core.recipe import loads
    from tutelage.core.row import Example, Source
    from tutelage.render.contract import Contract
    from tutelage.render.pack import pack
    from tutelage.store.base import find_base
    from tutelage.train.batch import batch_of
    from tutelage.train.step import clip, gradient
    from tutelage.train.weights import open_learner

    recipe = loads("{name: losses, train: {base: base, method: full, precision: fp32}}").at(folder)
    if recipe.train is None:
        raise SystemExit("the recipe has no train section")
    base = find_base("base", folder)
    contract = Contract.open(recipe.contract, base, recipe)
    source = Source(uri="rows.jsonl", line=1)
    examples = [
        Example(messages=messages_from(said), origin="human", licence="CC0-1.0", source=source)
        for said in conversations(folder)
    ]
    lessons = [one for row in contract.lessons_of(examples) for one in row.lessons]
    ids = [
        {
            "input_ids": [*one.prompt, *one.completion],
            "labels": [-100] * len(one.prompt) + list(one.completion),
        }
        for one in lessons
    ]
    (folder / "ids.json").write_text(json.dumps(ids), encoding="utf-8")
    learner = open_learner(recipe.train, base, None)  # type: ignore[arg-type]
    weights = list(learner.trainable().values())
    import torch

    optimizer = torch.optim.AdamW(weights, lr=RATE, betas=(0.9, BETA), weight_decay=0.0)
    losses = []
    for at in range(0, len(lessons), BATCH):
        (row,) = pack(lessons[at : at + BATCH], 1 << 14, np.random.default_rng(0))
        losses.append(gradient(learner.backbone, [batch_of(row)]).loss)
        clip(weights, CLIP)
        optimizer.step()
        optimizer.zero_grad()
    return losses


def theirs(folder: Path) -> dict[str, Any]:
    """The same by TRL's trainer; what it computed, before it rounds what it logs."""
    import datasets
    import transformers
    import trl

    losses: list[float] = []

    class Told(trl.SFTTrainer):
        def training_step(self, *given: Any, **more: Any) -> Any:
            loss = super().training_step(*given, **more)
            losses.append(float(loss))
            return loss

    ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    settings = trl.SFTConfig(
        output_dir=str(folder / "theirs"),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        adam_beta2=BETA,
        max_grad_norm=CLIP,
        max_length=2048,
        train_sampling_strategy="sequential",
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    import torch

    trainer = Told(
        transformers.AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32),
        args=settings,
        train_dataset=datasets.Dataset.from_list(ids),
        processing_class=transformers.AutoTokenizer.from_pretrained(folder / "base"),
    )
    trainer.train()
    versions = {one.__name__: one.__version__ for one in (trl, transformers, torch)}
    return {"losses": losses, "versions": versions}


if __name__ == "__main__":
    main()
