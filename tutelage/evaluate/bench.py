"""Engines in this process for the base and the tuned model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tutelage.core.recipe import Evaluate, Precision
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Engine
from tutelage.evaluate.ladder import System
from tutelage.render.continuation import Continuations
from tutelage.render.contract import Contract
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder

WEIGHTS = "adapter"  # folder of an adapter artifact


class LocalBench:
    """Opens an engine when it is first asked for; holds one at a time."""

    def __init__(
        self,
        contract: Contract,
        base: BaseFolder,
        adapter: Artifact,
        *,
        section: Evaluate,
        precision: Precision,
    ) -> None:
        self.contract = contract
        self.continuations = Continuations(contract=contract)
        self._base = base
        self._adapter = adapter
        self._section = section
        self._precision = precision
        self._base_digests = base.digests()
        self._held: tuple[bool, Engine] | None = None

    def digests(self, system: System) -> Mapping[str, str]:
        """The base's files, and the adapter where the system has it."""
        adapter = {"adapter": self._adapter.digest} if system.tuned else {}
        return {**self._base_digests, **adapter}

    def engine(self, system: System) -> Engine:
        """The base, with the adapter for the tuned system."""
        if self._held is not None and self._held[0] == system.tuned:
            return self._held[1]
        self.close()
        folder: Path | None = self._adapter.folder / WEIGHTS if system.tuned else None
        engine = LocalEngine.open(
            self._base,
            folder,
            decode=self.contract.decode,
            precision=self._precision,
            batch_tokens=self._section.batch_tokens,
        )
        self._held = (system.tuned, engine)
        return engine

    def close(self) -> None:
        """Lets go of the weights."""
        if self._held is not None:
            self._held[1].close()
            self._held = None
