"""Builds the token shards of the embedded base: one file a component, held-out parts apart.

python -m tutelage.bases.mixture DATA TOKENIZER OUT [COMPONENT ...]
"""

import argparse
import gzip
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tutelage.bases.sources import SOURCES, Document, Source, documents, held_out
from tutelage.bases.spans import DRAWN_FROM
from tutelage.bases.synthetic import SYNTHETIC, synthetic_documents
from tutelage.bases.vocabulary import END

log = logging.getLogger(__name__)

IN_ORDER = frozenset({"books"})  # a passage continues the one before it
MEASURED = frozenset({"books", "sgd", "topical", "calls", "dolly", SYNTHETIC})
MEASURE_NAME = "wikitext"
MEASURE = Source(
    path="pretrain/wikitext2_valid.txt.gz",
    licence="CC-BY-SA-3.0",
    attribution="WikiText-2 (Wikipedia authors)",
)
CHUNK = 2000  # documents encoded at once


def build(
    data: Path, tokenizer: Tokenizer, out: Path, components: Sequence[str], seed: int
) -> None:
    """Write `NAME.bin` (uint16 ids) for each component, held-out parts under `heldout/`, and the
    counts, files and licences in `mixture.json`; components built earlier stay listed."""
    (out / "heldout").mkdir(parents=True, exist_ok=True)
    for component in components:
        if component == MEASURE_NAME:
            entry = build_measure(data, tokenizer, out)
        else:
            entry = build_component(component, data, tokenizer, out, seed)
        log.info("%s: %s", component, entry.get("counts", entry["heldout"]))
        record(out / "mixture.json", component, entry)


def build_component(
    component: str, data: Path, tokenizer: Tokenizer, out: Path, seed: int
) -> dict[str, Any]:
    """One component's shard and held-out shard, and what is said of them in `mixture.json`."""
    if component == SYNTHETIC:
        every: Iterable[Document] = synthetic_documents(data, seed)
        sources = tuple(source for name in DRAWN_FROM for source in SOURCES[name])
    else:
        every, sources = documents(component, data, seed), SOURCES[component]
    kept: list[str] = []
    apart: list[str] = []
    for document in every:
        (apart if held_out(document) else kept).append(document.text)
    if component not in IN_ORDER:
        Random(f"{seed} order {component}").shuffle(kept)
    counts = {"documents": len(kept), **shard(kept, tokenizer, out / f"{component}.bin")}
    measured = None
    if component in MEASURED:
        measured = shard(apart, tokenizer, out / "heldout" / f"{component}.bin")
        measured["documents"] = len(apart)
    return {
        "counts": counts,
        "left_out": len(apart),
        "heldout": measured,
        "sources": [origin(data, source) for source in sources],
    }


def shard(texts: Sequence[str], tokenizer: Tokenizer, path: Path) -> dict[str, int]:
    """Write the texts' ids, each closed by the end-of-text marker; return tokens and bytes."""
    end = tokenizer.token_to_id(END)
    tokens = size = 0
    pending = path.with_suffix(".part")
    with pending.open("wb") as file:
        for some in chunks(texts, CHUNK):
            for encoding in tokenizer.encode_batch(some, add_special_tokens=False):
                file.write(np.asarray([*encoding.ids, end], dtype=np.uint16).tobytes())
                tokens += len(encoding) + 1
            size += sum(len(text.encode("utf-8")) for text in some)
    pending.rename(path)  # a reader of the former shard keeps it; a new one sees the whole
    return {"tokens": tokens, "bytes": size}


def chunks(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    stream = iter(texts)
    while some := list(islice(stream, size)):
        yield some


def build_measure(data: Path, tokenizer: Tokenizer, out: Path) -> dict[str, Any]:
    """The held-out shard that no component trains on: an encyclopedia, for bits a byte only."""
    text = gzip.decompress((data / MEASURE.path).read_bytes()).decode("utf-8")
    counts = shard([text], tokenizer, out / "heldout" / "wikitext.bin")
    return {"heldout": {**counts, "documents": 1}, "sources": [origin(data, MEASURE)]}


def origin(data: Path, source: Source) -> dict[str, str]:
    """A source as the model card names it."""
    return {
        "path": source.path,
        "sha256": hashlib.sha256((data / source.path).read_bytes()).hexdigest(),
        "licence": source.licence,
        "attribution": source.attribution,
    }


def record(path: Path, component: str, entry: dict[str, Any]) -> None:
    """Set one component's entry in `mixture.json`."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    listed: dict[str, Any] = {"schema": 1, **known}
    listed.setdefault("components", {})[component] = entry
    path.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the token shards of the embedded base.")
    parser.add_argument("data", type=Path)
    parser.add_argument("tokenizer", type=Path, help="folder with tokenizer.json")
    parser.add_argument("out", type=Path)
    parser.add_argument("components", nargs="*", help="default: all")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    names = given.components or [*SOURCES, SYNTHETIC, MEASURE_NAME]
    build(given.data, tokenizer, given.out, names, given.seed)


if __name__ == "__main__":
    main()
