"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.artifact import Provenance
from tutelage.core.recipe import Curate
from tutelage.curate import screening
from tutelage.curate.parts import Parts
from tutelage.curate.reviewed import inputs_of, section_of
from tutelage.curate.road import build
from tutelage.curate.runner import uncollected
from tutelage.curate.sieve import STAGE
from tutelage.curate.sources import digests, suites_of
from tutelage.curate.tokens import base_of
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import uri_of
from tutelage.store.run import Run

VERSION = 6  # raised when the same sources come to another dataset


def run(section: Curate, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """The dataset: rows with their split, the ledger of every row read, and the card.

    Raises: RowError for files that are missing, for bad rows where `invalid` is `fail`,
        and where no row is left.
    """
    provenance = Provenance(
        kind="dataset",
        inputs={name: artifact.digest for name, artifact in inputs.items()}
        | digests(section, run.recipe)
        | inputs_of(run)
        | _tokenizer(section, run),
        section=_section(section, run),
        stage_version=VERSION,
        seeds=run.seeds("curate.rows", "curate.split", "curate.stages"),
    )
    parts = Parts(run=run, key=provenance.key)
    if run.force:
        parts.clear()
    with uncollected():
        made = run.make(STAGE, provenance, lambda draft: build(section, run, draft, parts))
    parts.clear()
    return made


def _tokenizer(section: Curate, run: Run) -> dict[str, str]:
    base = base_of(section, run.recipe)
    return {} if base is None else {"card:tokenizer": base.tokenizer_digest()}


def _section(section: Curate, run: Run) -> dict[str, Any]:
    """What decides the dataset besides the files, without folders of this machine."""
    form = section.model_dump(mode="json")
    del form["scale"]  # whoever works on the rows, the dataset is the same
    form["screen"]["key"] = screening.mark(screening.ready(section.screen, run.recipe))
    if section.card.tokenizer is not None:
        form["card"]["tokenizer"] = uri_of(section.card.tokenizer)
    if section.screen.key_file is not None:
        form["screen"]["key_file"] = uri_of(section.screen.key_file)
    for benchmark in form["leakage"]["benchmarks"]:
        benchmark["path"] = uri_of(benchmark["path"])
    for source in form["sources"]:
        source["path"] = uri_of(source["path"])
    if section.expected is not None:
        form["expected"]["path"] = uri_of(section.expected.path)
    if section.opt_out is not None:
        form["opt_out"] = uri_of(section.opt_out)
    form["suites"] = [
        {**suite.model_dump(mode="json", include={"format", "fields"}), "path": uri_of(suite.path)}
        for suite in suites_of(run.recipe)
    ]
    return section_of(form, section)
