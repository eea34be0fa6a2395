"""Engines in this process for the base and the tuned model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tutelage.core.recipe import Evaluate, Precision
from tutelage.engine.device import best_device, choose_precision
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Engine
from tutelage.evaluate.ladder import System
from tutelage.render.continuation import Continuations
from tutelage.render.contract import Contract
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder

WEIGHTS = "adapter"  # folder of an adapter artifact


class LocalBench:
    """Opens an engine when it is first asked for; holds one at a time.

    Without an adapter it is a bench of untuned systems only.
    """

    def __init__(
        self,
        contract: Contract,
        base: BaseFolder,
        adapter: Artifact | None,
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

    @property
    def computed(self) -> Mapping[str, str]:
        """The device and the precision `auto` comes to there."""
        device = best_device()
        precision = choose_precision(self._precision, device)
        return {"device": device.type, "precision": str(precision).removeprefix("torch.")}

    def digests(self, system: System) -> Mapping[str, str]:
        """The base's files, and the adapter where the system has it."""
        adapter = self._adapter_of(system)
        return {**self._base_digests, **({"adapter": adapter.digest} if adapter else {})}

    def engine(self, system: System) -> Engine:
        """The base, with the adapter for the tuned system."""
        if self._held is not None and self._held[0] == system.tuned:
            return self._held[1]
        self.close()
        adapter = self._adapter_of(system)
        folder: Path | None = adapter.folder / WEIGHTS if adapter else None
        engine = LocalEngine.open(
            self._base,
            folder,
            decode=self.contract.decode,
            precision=self._precision,
            batch_tokens=self._section.batch_tokens,
        )
        self._held = (system.tuned, engine)
        return engine

    def _adapter_of(self, system: System) -> Artifact | None:
        return self._adapter if system.tuned else None

    def close(self) -> None:
        """Lets go of the weights."""
        if self._held is not None:
            self._held[1].close()
            self._held = None
