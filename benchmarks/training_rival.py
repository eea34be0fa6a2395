"""One training of TRL's, timed; `training.py` starts it with an interpreter that has trl."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from training import Curve, cpu_seconds, figures

WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "best": {
        "bf16": True,
        "gradient_checkpointing": False,
        "max_length": 2048,
        "train_sampling_strategy": "sequential",
    },
    "packed": {
        "bf16": True,
        "gradient_checkpointing": False,
        "max_length": 2048,
        "packing": True,
        "packing_strategy": "bfd",
    },
}


def main() -> None:
    job: dict[str, Any] = json.loads(sys.argv[1])
    folder, way = Path(job["folder"]), job["system"]
    import datasets
    import peft
    import torch
    import transformers
    import trl

    logging.disable(logging.WARNING)
    datasets.disable_caching()
    torch.set_num_threads(job["threads"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "base")
    rows = [json.loads(line)["messages"] for line in (folder / "rows.jsonl").open()]
    lengths = [len(tokenizer.apply_chat_template(one)["input_ids"]) for one in rows]
    batch = max(1, round(job["step_tokens"] / (sum(lengths) / len(lengths))))
    if way == "best":
        rows = alike(rows, lengths, batch)
    pairs = [{"prompt": one[:-1], "completion": one[-1:]} for one in rows]
    settings: dict[str, Any] = {
        "output_dir": str(folder / "theirs"),
        "per_device_train_batch_size": 1 if way == "packed" else batch,
        "num_train_epochs": 1,
        "learning_rate": 5e-4,
        "use_cpu": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        **WAYS[way],
    }
    lora = job["method"] == "lora"
    half = torch.bfloat16 if lora and way != "default" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base", dtype=half)
    ends: list[float] = []
    cpu: list[float] = []
    steps: list[dict[str, float]] = []

    class Timed(trl.SFTTrainer):
        def compute_loss(self, model: Any, inputs: Any, *given: Any, **more: Any) -> Any:
            seen.append(measured(inputs))
            return super().compute_loss(model, inputs, *given, **more)

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            steps.append({name: sum(one[name] for one in seen) for name in seen[0]})
            seen.clear()
            ends.append(time.time() - curve.idle)
            cpu.append(cpu_seconds())
            curve.step(len(ends))

    seen: list[dict[str, float]] = []
    trainer = Timed(
        model,
        args=trl.SFTConfig(**settings),
        train_dataset=datasets.Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
        if lora
        else None,
        callbacks=[Clock()],
    )
    curve = Curve(job, lambda: held_loss(model, folder))
    trainer.train()
    logged = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    for step, loss in zip(steps, logged, strict=True):
        step["loss"] = loss
    versions = {one.__name__: one.__version__ for one in (trl, transformers, torch)}
    told = {**figures(job, steps, ends, cpu), **curve.figures()}
    print(json.dumps({**told, "versions": versions}))


def held_loss(model: Any, folder: Path, batch: int = 20) -> float:
    """Mean loss of the taught tokens of rows held out."""
    import torch

    held = json.loads((folder / "held.json").read_text(encoding="utf-8"))
    total = count = 0.0
    model.eval()
    for at in range(0, len(held), batch):
        some = held[at : at + batch]
        width = max(len(prompt) + len(said) for prompt, said in some)
        ids, labels = torch.full((len(some), width), 3), torch.full((len(some), width), -100)
        for row, (prompt, said) in enumerate(some):
            whole = torch.tensor([*prompt, *said])
            ids[row, : len(whole)] = whole
            labels[row, len(prompt) : len(whole)] = whole[len(prompt) :]
        with torch.no_grad():
            logits = model(ids).logits[:, :-1].float().flatten(0, 1)
        total += float(
            torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), reduction="sum")
        )
        count += float((labels[:, 1:] != -100).sum())
    model.train()
    return total / count


def alike(rows: list[Any], lengths: list[int], batch: int) -> list[Any]:
    """The rows so that each batch holds some of like length, batches in a fixed mixed order."""
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    batches = [order[at : at + batch] for at in range(0, len(order) - batch + 1, batch)]
    mixed = [batches[(number * 7919) % len(batches)] for number in range(len(batches))]
    if len({id(one) for one in mixed}) < len(batches):
        mixed = batches
    return [rows[index] for one in mixed for index in one]


def measured(inputs: Any) -> dict[str, float]:
    """Real tokens, taught ones, and the sum of the lessons' squared lengths."""
    labels = inputs["labels"]
    lengths = lesson_lengths(inputs)
    return {
        "supervised": float((labels != -100).sum()),
        "tokens": float(sum(lengths)),
        "squares": float(sum(one**2 for one in lengths)),
    }


def lesson_lengths(inputs: Any) -> list[int]:
    if "position_ids" in inputs:  # packed: positions begin anew with each lesson
        position = inputs["position_ids"].flatten().tolist()
        starts = [at for at, one in enumerate(position) if one == 0]
        return [b - a for a, b in zip(starts, [*starts[1:], len(position)], strict=True)]
    return [int(one) for one in inputs["attention_mask"].sum(-1).tolist()]


if __name__ == "__main__":
    main()
