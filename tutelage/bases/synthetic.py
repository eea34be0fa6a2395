"""The invented component of the mixture: calls, extraction and copying, fresh in each document."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from tutelage.bases.calls import conversation
from tutelage.bases.copying import exercise
from tutelage.bases.sources import Document
from tutelage.bases.spans import Bank, gather

SYNTHETIC = "synthetic"
COUNT = 220_000
CALLS = 0.74  # of the documents; the rest are copying exercises


def synthetic_documents(data: Path, seed: int, count: int = COUNT) -> Iterator[Document]:
    """The invented documents; spans are cut from the trained parts of the sources."""
    bank = gather(data, seed)
    for number in range(count):
        yield Document(text=invention(bank, seed, number), key=f"synthetic {number}", share=0.01)


def invention(bank: Bank, seed: int, number: int) -> str:
    """The document of a number: the same for the same bank and seed."""
    draw = Random(f"{seed} synthetic {number}")
    return (conversation if draw.random() < CALLS else exercise)(bank, draw).strip() + "\n"
