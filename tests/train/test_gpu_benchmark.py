from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_gpu_benchmark_runs_on_a_processor_and_goes_on_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    gpu = importlib.import_module("gpu")
    results = tmp_path / "gpu.jsonl"
    words = ["gpu.py", "--smoke", "--results", str(results), "--steps", "1"]
    cases = ["8b lora, checkpointed", "8b lora, shared prompts", "135m"]
    monkeypatch.setattr(sys, "argv", [*words, "--case", *cases])
    gpu.main()
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    parts = list(dict.fromkeys(line["part"] for line in lines))
    assert parts == ["peak", "attention", "equality", "repeat", "answers", "training"]
    assert all(line["smoke"] and line["hardware"] and line["commit"] for line in lines)
    attention = {
        (one["row"], one["window"], one["backend"]): one
        for one in lines
        if "row" in one and "backend" in one
    }
    assert "error" in attention["documents", None, "varlen"]  # no processor has its kernel
    for row in ("documents", "one document", "tree"):
        chains = attention[row, None, "chains"]
        assert chains["value"] > 0
        assert max(chains[name] for name in ("off", "off_dq", "off_dk", "off_dv")) < 0.02
    (fp32, bf16) = [one for one in lines if one["part"] == "equality"]
    assert fp32["value"] <= 1e-4
    assert 0 < bf16["value"] < 0.05
    assert all(one["same"] for one in lines if one["part"] == "repeat" and "same" in one)
    trained = [one for one in lines if one["part"] == "training"]
    assert [one["case"] for one in trained] == cases
    assert all(one["supervised_per_second"] > 0 and one["mfu"] > 0 for one in trained)
