"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

from collections.abc import Mapping

from tutelage.core.artifact import Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.recipe import Curate
from tutelage.curate.key import deciding
from tutelage.curate.parts import Parts
from tutelage.curate.reviewed import inputs_of
from tutelage.curate.road import build
from tutelage.curate.runner import uncollected
from tutelage.curate.sieve import STAGE
from tutelage.curate.sources import digests
from tutelage.curate.spread import encoder_of
from tutelage.curate.tokens import base_of
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run

VERSION = 10  # raised when the same sources come to another dataset


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
        | _of_card(section, run),
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


def _of_card(section: Curate, run: Run) -> dict[str, str]:
    """The bases the card measures rows by."""
    counts, encodes = base_of(section, run.recipe), encoder_of(section, run.recipe)
    found = {} if counts is None else {"card:tokenizer": counts.tokenizer_digest()}
    return found | ({} if encodes is None else {"card:encoder": strong_digest(encodes.digests())})
