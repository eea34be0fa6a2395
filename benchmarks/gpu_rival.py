"""TRL's steps on a device; `gpu_training.py` starts it with an interpreter that has trl."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from training_rival import measured


def main() -> None:
    job: dict[str, Any] = json.loads(sys.argv[1])
    import datasets
    import torch
    import transformers
    import trl

    logging.disable(logging.WARNING)
    datasets.disable_caching()
    cuda = job["device"] == "cuda"
    flash = cuda and importlib.util.find_spec("flash_attn") is not None
    liger = cuda and importlib.util.find_spec("liger_kernel") is not None
    ends, steps, seen = [time.perf_counter()], [], []

    class Timed(trl.SFTTrainer):
        def compute_loss(self, model: Any, inputs: Any, *given: Any, **more: Any) -> Any:
            seen.append(measured(inputs))
            return super().compute_loss(model, inputs, *given, **more)

    class Clock(transformers.TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            ends[0] = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if cuda:
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
            steps.append({name: sum(one[name] for one in seen) for name in seen[0]})
            seen.clear()

    rows = json.loads((Path(job["folder"]) / "rows.json").read_text(encoding="utf-8"))
    model = open_model(job, "flash_attention_2" if flash else "sdpa")
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    trainer = Timed(
        model,
        args=trl.SFTConfig(**settings(job, liger=liger)),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer(),
        peft_config=adapter(job),
        callbacks=[Clock()],
    )
    trainer.train()
    logged = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    for step, loss in zip(steps, logged, strict=True):
        step["loss"] = loss
    versions = {one.__name__: one.__version__ for one in (trl, transformers, torch)}
    told = {
        "steps": steps,
        "ends": ends,
        "peak_mib": torch.cuda.max_memory_allocated() >> 20 if cuda else 0,
        "versions": versions | {"flash_attn": flash, "liger": liger},
    }
    print(json.dumps(told))


def settings(job: dict[str, Any], *, liger: bool) -> dict[str, Any]:
    """Packed rows of a bounded length, as many a step as it takes."""
    return {
        "output_dir": str(Path(job["folder"]) / "theirs"),
        "per_device_train_batch_size": job["step_tokens"] // job["row_tokens"],
        "max_steps": job["steps"],
        "learning_rate": job["rate"],
        "lr_scheduler_type": "constant",
        "optim": "adamw_torch_fused",
        "max_length": job["row_tokens"],
        "packing": True,
        "packing_strategy": "bfd",
        "gradient_checkpointing": job["checkpointing"],
        "use_liger_kernel": liger,
        "bf16": True,
        "use_cpu": job["device"] == "cpu",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


def open_model(job: dict[str, Any], attention: str) -> Any:
    """The shape with random weights, drawn on the device; matrices in four bits under QLoRA."""
    import torch
    import transformers

    said = dict(job["config"])
    said.pop("torch_dtype")
    config = transformers.AutoConfig.for_model(said.pop("model_type"), **said)
    half = torch.float32 if job["method"] == "full" else torch.bfloat16
    with torch.device(job["device"]):
        model = transformers.AutoModelForCausalLM.from_config(
            config, dtype=half, attn_implementation=attention
        )
    if job["method"] == "qlora":
        quantise(model, job["device"])
    return model


def quantise(model: Any, device: str) -> None:
    """What transformers does with bitsandbytes when it reads weights."""
    import bitsandbytes
    import torch

    for path, layer in list(model.named_modules()):
        if not isinstance(layer, torch.nn.Linear) or path == "lm_head":
            continue
        packed = bitsandbytes.nn.Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=False,
            compute_dtype=torch.bfloat16,
            compress_statistics=True,
            quant_type="nf4",
        )
        packed.weight = bitsandbytes.nn.Params4bit(
            layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
        )
        home, _, name = path.rpartition(".")
        setattr(model.get_submodule(home), name, packed.to(device))
    model.is_loaded_in_4bit = True


def adapter(job: dict[str, Any]) -> Any:
    import peft

    if job["method"] == "full":
        return None
    return peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")


def tokenizer() -> Any:
    """That of the shipped base; the rows are ids already."""
    import transformers
    from training import BASE

    return transformers.AutoTokenizer.from_pretrained(BASE)


if __name__ == "__main__":
    main()
