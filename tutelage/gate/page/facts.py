"""What the page tells of the data, the training, the lineage and the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.gate.page.draw import percent
from tutelage.store.artifact import Artifact, read_json

CARD = "card.json"
DIGITS = 12  # of a digest, on paper
SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of a table."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One artifact of the lineage and what it was made from."""

    kind: str
    digest: str
    inputs: tuple[Fact, ...]
    started: str
    seconds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The dataset in short."""

    rows: tuple[Fact, ...]
    dropped: tuple[Fact, ...]
    review: tuple[Fact, ...]
    sources: tuple[Mapping[str, Any], ...]


def dataset_card(dataset: Artifact) -> Card:
    """Counts, licences, and what was left out and why."""
    form = read_json(dataset.file(CARD))
    rows = [
        Fact(name="rows read", value=f"{form['rows']['read']:,}"),
        Fact(name="kept", value=f"{form['rows']['kept']:,}"),
        Fact(name="left out", value=f"{form['rows']['dropped']:,}"),
        *(Fact(name=f"{name} split", value=f"{n:,}") for name, n in form["splits"].items()),
        Fact(name="licences", value=_tallied(form["licences"])),
        Fact(name="origins", value=_tallied(form["origins"])),
    ]
    rows += [
        Fact(name="kept clear of", value=one["path"], note=f"{one['tasks']:,} tasks")
        for one in form["kept_clear_of"]
    ]
    return Card(
        rows=tuple(rows),
        dropped=_reasons(form["left_out"]),
        review=_reasons(form["for_review"]),
        sources=tuple(form["sources"]),
    )


def training_facts(adapter: Artifact) -> list[Fact]:
    """Method, optimizer, steps, tokens, speed, time and memory; what is not known is left out."""
    manifest, counts, seen = adapter.manifest, adapter.counts, adapter.manifest.environment
    found: list[Fact] = []

    def add(name: str, value: str | None, note: str = "") -> None:
        if value:
            found.append(Fact(name=name, value=value, note=note))

    def count(name: str) -> str | None:
        return f"{counts[name]:,}" if name in counts else None

    def speed(name: str) -> str | None:
        return f"{float(seen[name]):,.0f} a second" if name in seen else None

    section: Mapping[str, Any] = manifest.section.get("train", {})
    if section:
        untrained = section.get("init") == "random"
        add("base", section.get("base"), "untrained weights" if untrained else "")
        add("method", _method(section))
        add(
            "optimizer",
            section.get("optimizer"),
            f"{section['schedule']} schedule" if "schedule" in section else "",
        )
        add("epochs", str(section.get("epochs", "")))
    add("peak learning rate", seen.get("peak_learning_rate"))
    add("parameters", count("base_parameters"), f"{count('trained_parameters') or 'some'} trained")
    taken, kept = counts.get("steps_taken"), counts.get("kept_step")
    early = taken is not None and taken < counts["steps"]
    add("steps", count("steps"), f"stopped early, after {taken:,}" if early else "")
    if kept is not None and kept != taken:
        add("weights", f"of step {kept:,}", "the best by the recipe's measure")
    add("lessons", count("lessons"), f"{count('validation_lessons') or 0} for validation")
    add("tokens an epoch", count("tokens"), f"{count('supervised_tokens') or '?'} supervised")
    add("tokens", speed("tokens_per_second"))
    add("supervised tokens", speed("supervised_per_second"))
    add("share of the matmul peak", percent(float(seen["mfu"])) if "mfu" in seen else None)
    add("time", duration(manifest.seconds), "rendering and validation included")
    memory = seen.get("peak_memory_mb")
    add("peak memory", f"{int(memory):,} MiB" if memory else None)
    add("precision", seen.get("precision"))
    add("backbone", seen.get("backbone"))
    return found


def lineage(artifacts: Sequence[Artifact]) -> list[Step]:
    """Each artifact with the digests of what it was made from."""
    return [
        Step(
            kind=one.kind,
            digest=one.digest,
            inputs=tuple(
                Fact(name=name, value=digest[:DIGITS])
                for name, digest in one.manifest.inputs.items()
            ),
            started=f"{one.manifest.started[:19].replace('T', ' ')} UTC",
            seconds=duration(one.manifest.seconds),
        )
        for one in artifacts
    ]


def environment(artifact: Artifact) -> list[Fact]:
    """Versions the report was made with."""
    plain = {"tutelage", "python", "system", "machine"}
    known = artifact.manifest.environment.items()
    return [Fact(name=name, value=value) for name, value in known if name in plain]


def duration(seconds: float) -> str:
    """`8 s`, `3 min 05 s`."""
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s"


def _method(section: Mapping[str, Any]) -> str:
    if section.get("method") == "lora":
        return f"LoRA, rank {section['lora']['rank']}"
    return "all weights"


def _tallied(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _reasons(counts: Mapping[str, int]) -> tuple[Fact, ...]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Fact(name=name.replace("_", " "), value=f"{count:,}") for name, count in ranked)
