"""Two processes train what one trains: losses, weights, checkpoints, errors."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from tests.journey.project import build
from tests.micro import micro_base
from tests.train.ranks import CASES, base_of, keys_of, recipe_of, trained
from tutelage.curate.run import run as curate
from tutelage.engine.adapter import apply_adapter
from tutelage.engine.attention import layout
from tutelage.engine.backbone import open_backbone
from tutelage.store.base import find_base
from tutelage.store.run import Run
from tutelage.train.group import Group
from tutelage.train.run import gather

ROOT = Path(__file__).parents[2]
LONGEST = 300.0  # seconds, on a machine that does much else
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 512}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two bases, and what two processes made of every case."""
    folder = build(tmp_path_factory.mktemp("ranks"))
    gpt2_base(folder / "gpt2")
    keys = {}
    for base in ("base", "gpt2"):
        recipe = recipe_of(folder, f"train.base={base}")
        assert recipe.curate is not None
        assert recipe.train is not None
        with Run.open(recipe) as run:
            dataset = curate(recipe.curate, {}, run)
            material = gather(recipe.train, dataset, run)
        keys[base] = {"dataset": material.dataset.key, "tokens": material.tokens.key}
    (folder / "keys.json").write_text(json.dumps(keys))
    together(folder)
    return folder


def gpt2_base(folder: Path) -> None:
    """A base that only the hf backbone computes, with the micro base's tokenizer."""
    micro_base(folder)
    config = json.loads((folder / "config.json").read_text())
    size, end = config["vocab_size"], config["eos_token_id"]
    torch.manual_seed(3)
    shape = GPT2Config(**GPT2, vocab_size=size, bos_token_id=end, eos_token_id=end)
    GPT2LMHeadModel(shape).save_pretrained(folder)


def together(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shared = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        ranks = []
        for rank in range(2):
            own = {**shared, "RANK": rank}
            passed = [server.fileno()] if rank == 0 else []
            if rank == 0:
                own["TUTELAGE_LISTENING"] = server.fileno()
            ranks.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.train.ranks", str(folder)],
                    cwd=ROOT,
                    env={**environ, **{name: str(value) for name, value in own.items()}},
                    pass_fds=passed,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
    try:
        said = [rank.communicate(timeout=LONGEST)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(said)


def came(project: Path, name: str) -> Any:
    return torch.load(project / "out" / f"{name}.pt", weights_only=True)


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Relative distance of all weights together.

    One by one they may differ more: the gradient of GPT-2's key biases is rounding alone, which
    AdamW scales up.
    """
    assert one.keys() == other.keys()
    first, second = (torch.cat([x[name].flatten() for name in other]) for x in (one, other))
    return float((first - second).norm() / second.norm())


@pytest.mark.parametrize("case", list(CASES))
def test_two_processes_come_to_what_one_comes_to(project: Path, case: str) -> None:
    overrides = CASES[case]
    recipe = recipe_of(project, *overrides)
    keys = keys_of(project, base_of(overrides))
    _, alone = trained(recipe, keys, Group(), f"alone {case}")
    both = came(project, case)
    near = 3e-3 if "muon" in case else 1e-6  # Muon orthogonalises in bf16
    for found, expected in zip(both["rows"], alone.rows, strict=True):
        assert found == pytest.approx(expected, rel=near)
    assert apart(both["weights"], alone.weights) <= near


@pytest.mark.parametrize("name", ["copies", "parts"])
def test_two_processes_broken_off_go_on_to_the_same_bits(project: Path, name: str) -> None:
    unbroken = came(project, "flat full" if name == "copies" else "flat full shard")
    found = came(project, name)
    assert came(project, f"{name} broken") != ""
    assert found["rows"] == unbroken["rows"]
    for weight, expected in unbroken["weights"].items():
        assert torch.equal(found["weights"][weight], expected)


@pytest.mark.parametrize("name", ["to parts", "to copies"])
def test_a_checkpoint_in_parts_and_one_in_whole_are_read_by_either(
    project: Path, name: str
) -> None:
    found, unbroken = came(project, name), came(project, "flat full")
    assert [row["tokens"] for row in found["rows"]] == [row["tokens"] for row in unbroken["rows"]]
    assert apart(found["weights"], unbroken["weights"]) <= 1e-6


def test_one_process_goes_on_from_the_parts_of_two(project: Path) -> None:
    keys = keys_of(project, "base")
    _, found = trained(recipe_of(project), keys, Group(), "to one")
    unbroken = came(project, "flat full")
    assert found.rows == [pytest.approx(row, rel=1e-6) for row in unbroken["rows"]]
    assert found.rows[:2] == came(project, "flat full shard")["rows"][:2]  # its own begin at 3
    assert apart(found.weights, unbroken["weights"]) <= 1e-6


def test_weights_that_differ_between_ranks_are_named(project: Path) -> None:
    first, second = came(project, "spoiled")
    assert first == second
    assert "the ranks hold different weights, `layers.1.down.weight` first" in first
    assert "rank 1  checksum" in first


def test_a_rank_that_waits_long_in_any_collective_says_so(project: Path) -> None:
    """Where it does not, the rank it waits for never comes."""
    assert came(project, "told") == ["reduce", "sum", "collect", "same"]


def test_a_number_that_is_none_on_one_rank_stops_all_in_the_same_step(project: Path) -> None:
    first, second = came(project, "not a number")
    assert first == second
    assert "step 2" in first or "step 3" in first  # counted from 0 or from 1


@pytest.mark.parametrize("name", ["flat lora", "flat lora shard"])
def test_an_adapter_of_two_processes_is_read_by_peft(project: Path, name: str) -> None:
    folder, ids = project / "out" / name, torch.arange(3, 43)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        plain = LlamaForCausalLM.from_pretrained(project / "base").eval()
        theirs = PeftModel.from_pretrained(plain, folder).eval()
    ours = open_backbone(find_base("base", project), precision=torch.float32, frozen=True)
    apply_adapter(ours, folder)
    plan, every = layout(np.full(40, 40, dtype=np.int32)), torch.arange(40)
    with torch.no_grad():
        found = theirs(ids[None]).logits[0]
        expected = ours.hidden(ids, every, plan, every) @ ours.head.T
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        with theirs.disable_adapter():
            assert not torch.allclose(theirs(ids[None]).logits[0], found, atol=1e-3)
