"""lm-eval's Hugging Face backend on local tasks; `lm_eval_parity.py` starts it where lm-eval is."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Reads a job as JSON, writes every sample's scores and what asking took."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    import datasets
    import torch
    from lm_eval import __version__, simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.disable(logging.WARNING)
    datasets.disable_caching()
    torch.set_num_threads(job["threads"])
    if job["bridge"]:
        from tutelage.evaluate.bridge import Bridge

        model = Bridge.open(job["base"], precision="fp32").language_model()
    else:
        model = HFLM(pretrained=job["base"], dtype="float32", device="cpu", batch_size=job["batch"])
    took = {"seconds": 0.0, "cpu": 0.0}
    asked = model.loglikelihood

    def timed(requests: Any, **settings: Any) -> Any:
        wall, cpu = time.monotonic(), time.process_time()
        answers = asked(requests, **settings)
        took["seconds"] += time.monotonic() - wall
        took["cpu"] += time.process_time() - cpu
        return answers

    model.loglikelihood = timed
    found = simple_evaluate(
        model=model,
        tasks=job["tasks"],
        task_manager=TaskManager(include_path=job["folder"], include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = {
        name: [
            {
                "doc": one["doc_id"],
                "logprobs": [resp[0] for resp in one["filtered_resps"]],
                **{key: one[key] for key in ("acc", "acc_norm") if key in one},
            }
            for one in rows
        ]
        for name, rows in found["samples"].items()
    }
    form = {"version": __version__, "took": took, "samples": samples}
    Path(job["out"]).write_text(json.dumps(form), encoding="utf-8")


if __name__ == "__main__":
    main()
