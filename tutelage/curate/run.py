"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

from collections.abc import Mapping

from tutelage.core.artifact import Provenance
from tutelage.core.recipe import Curate
from tutelage.curate.key import deciding
from tutelage.curate.parts import Parts
from tutelage.curate.reviewed import inputs_of
from tutelage.curate.road import build
from tutelage.curate.runner import uncollected
from tutelage.curate.sieve import STAGE
from tutelage.curate.sources import digests
from tutelage.curate.tokens import base_of
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run

VERSION = 7  # raised when the same sources come to another dataset


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
        section=deciding(section, run),
        stage_version=VERSION,
        seeds=run.seeds("curate.rows", "curate.split", "curate.stages"),
    )
    parts = Parts(run=run, key=provenance.key)
    if run.force:
        parts.clear()
    with uncollected():
        made = run.make(
            STAGE,
            provenance,
            lambda draft: build(section, run, draft, parts, provenance.inputs),
        )
    parts.clear()
    return made


def _tokenizer(section: Curate, run: Run) -> dict[str, str]:
    base = base_of(section, run.recipe)
    return {} if base is None else {"card:tokenizer": base.tokenizer_digest()}
