"""One rival's near-duplicates: texts as JSON on stdin, the processor's seconds as JSON on stdout.

    PYTHON benchmarks/curate_rival.py datasketch | datatrove | text-dedup | data-juicer

Run by `curate_speed.py` in the rivals' own environments, which hold datasketch 2.0.0, datatrove
0.10.1 with spaCy and xxhash 3 (it breaks with 4), text-dedup 0.4.0, and py-data-juicer 1.6.1 with
aiohttp. Each makes its signature of 240 hashes over runs of five words with its own code and
settings, and texts that agree in one of 40 bands are put together; none of them verifies a pair.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

BANDS, ROWS = 40, 6
WORDS = re.compile(r"\W+")
Sign = Callable[[str], Iterable[Any]]  # a text's bands


def main() -> None:
    texts = json.load(sys.stdin)
    name = sys.argv[1]
    sign = RIVALS[name]()
    list(sign(texts[0]))
    began = time.process_time()
    buckets: dict[Any, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        for place, band in enumerate(sign(text)):
            buckets[place, band].append(index)
    pairs = {(own[0], other) for own in buckets.values() for other in own[1:]}
    seconds = time.process_time() - began
    package = {"data-juicer": "py-data-juicer"}.get(name, name)
    told = {"seconds": seconds, "pairs": len(pairs), "version": version(package)}
    json.dump(told, sys.stdout)


def datasketch() -> Sign:
    """MinHash with its own hash function, all shingles of a text at once."""
    from datasketch import MinHash

    first = MinHash(num_perm=BANDS * ROWS)

    def sign(text: str) -> Iterable[Any]:
        words = WORDS.split(text.lower())
        grams = {" ".join(words[at : at + 5]).encode() for at in range(len(words) - 4)}
        made = MinHash(num_perm=BANDS * ROWS, permutations=first.permutations, scheme=first.scheme)
        made.update_batch(list(grams))
        values = made.hashvalues
        return (values[at : at + ROWS].tobytes() for at in range(0, BANDS * ROWS, ROWS))

    return sign


def datatrove() -> Sign:
    """The first step of its pipeline."""
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    config = MinhashConfig(n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS)
    step = MinhashDedupSignature(tempfile.mkdtemp(), config=config)

    def sign(text: str) -> Iterable[tuple[int, ...]]:
        shingles = step.get_shingles(text)  # of a text of few words there are none
        return map(tuple, step.get_signature(shingles)) if len(shingles) else ()

    return sign


def text_dedup() -> Sign:
    """The function its script maps over a data set, with the script's defaults."""
    sys.argv = sys.argv[:1]
    import numpy as np
    from text_dedup.minhash import RNG, SIGNATURE_COLUMN, embed_func
    from text_dedup.utils import xxh3_32hash

    prime, most = np.uint64((1 << 61) - 1), np.uint32((1 << 32) - 1)
    size = (BANDS * ROWS,)
    factors = RNG.randint(1, prime, size=size, dtype=np.uint64)
    terms = RNG.randint(0, prime, size=size, dtype=np.uint64)
    given = {
        "num_perm": BANDS * ROWS,
        "ngram_size": 5,
        "min_length": 5,
        "hashranges": [(at, at + ROWS) for at in range(0, BANDS * ROWS, ROWS)],
        "permutations": (factors, terms),
        "hash_func": xxh3_32hash,
        "dtype": np.uint64,
        "max_hash": most,
        "modulo_prime": prime,
    }
    return lambda text: embed_func(text, 0, **given)[SIGNATURE_COLUMN]


def data_juicer() -> Sign:
    """Its deduplicator's signature of one sample."""
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import (
        DocumentMinhashDeduplicator,
    )
    from data_juicer.utils.constant import HashKeys

    step = DocumentMinhashDeduplicator(
        tokenization="space",
        window_size=5,
        num_permutations=BANDS * ROWS,
        num_bands=BANDS,
        num_rows_per_band=ROWS,
    )
    return lambda text: step.compute_hash({"text": text})[HashKeys.minhash]


RIVALS: dict[str, Callable[[], Sign]] = {
    "datasketch": datasketch,
    "datatrove": datatrove,
    "text-dedup": text_dedup,
    "data-juicer": data_juicer,
}

if __name__ == "__main__":
    main()
