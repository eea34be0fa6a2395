"""What decides a dataset besides the bytes of its files."""

from __future__ import annotations

from typing import Any

from tutelage.core.digest import strong_digest
from tutelage.core.recipe import Curate
from tutelage.curate import screening
from tutelage.curate.reviewed import section_of
from tutelage.curate.sources import suites_of
from tutelage.screen.people import mark
from tutelage.store.ingest import uri_of
from tutelage.store.run import Run

READING = {"name", "format", "fields", "roles", "choices", "text"}  # by which a suite is read


def deciding(section: Curate, run: Run) -> dict[str, Any]:
    """The section as provenance keeps it, without folders and servers of this machine."""
    form = section.model_dump(mode="json")
    del form["scale"]  # whoever works on the rows, the dataset is the same
    form["card"] = {
        key: name and uri_of(name) for key, name in section.card.model_dump(mode="json").items()
    }
    form["screen"]["key"] = mark(screening.ready(section.screen, run.recipe))
    form["screen"]["detectors"] = [
        # which server answers, not where it is or how it is asked
        {"name": one.name, "least_score": one.least_score, "server": strong_digest(one.url)[:16]}
        for one in section.screen.detectors
    ]
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
        {**suite.model_dump(mode="json", include=READING), "path": uri_of(suite.path)}
        for suite in suites_of(run.recipe)
    ]
    return section_of(form, section)
