"""The jobs for clusters call what exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
import yaml
from torch.distributed.run import get_args_parser

from tutelage.cli.frame import road

CLUSTER = Path(__file__).parents[2] / "examples" / "cluster"
DOCS = CLUSTER.parents[1] / "docs"


def of_slurm() -> list[list[str]]:
    text = (CLUSTER / "slurm.sbatch").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.removeprefix("srun ") for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("torchrun", "tutelage"))]


def of_kubernetes() -> list[list[str]]:
    _, job = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return [container["command"]]


def of_docs() -> list[list[str]]:
    text = (DOCS / "devices.md").read_text(encoding="utf-8")
    return [shlex.split(one) for one in re.findall(r"^(?:torchrun -|tutelage ).*", text, re.M)]


@pytest.mark.parametrize("words", [*of_slurm(), *of_kubernetes(), *of_docs()], ids=" ".join)
def test_a_cluster_job_gives_options_that_exist(words: Sequence[str]) -> None:
    if words[0] == "torchrun":
        given = get_args_parser().parse_args([word.replace("$", "") for word in plain(words)])
        assert (given.module, given.training_script) == (True, "tutelage")
        words = ["tutelage", *given.training_script_args]
    command = road.get_command(click.Context(road), words[1])
    assert command is not None
    assert command.make_context(words[1], list(words[2:])).params


def plain(words: Sequence[str]) -> list[str]:
    """What torchrun is given, numbers in place of what the job fills in."""
    return [word.replace("$SLURM_NNODES", "2") for word in words[1:]]


def test_the_job_of_kubernetes_is_one_index_a_machine() -> None:
    service, job = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text(encoding="utf-8"))
    spec = job["spec"]
    (words,) = of_kubernetes()
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"]
    assert f"--nnodes={spec['completions']}" in words
    endpoint = f"{job['metadata']['name']}-0.{service['metadata']['name']}"
    assert any(word.startswith(f"--rdzv-endpoint={endpoint}:") for word in words)
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
