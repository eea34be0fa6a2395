"""The low-rank adapter of one matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tutelage.engine.frozen import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """A low-rank change `scale * B A`. Shapes: a `[r, in]`, b `[out, r]`."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What an adapter makes of inputs, the product with the second matrix not yet taken.

    The outputs from row `first` on become `longer * (out + scale * low up^T)`.

    Shapes: low `[…, r]`, up `[rows, r]`, longer `[rows]` or None for ones.
    """

    low: Tensor
    up: Tensor
    scale: float = 1.0
    longer: Tensor | None = None
    first: int = 0


class LowRank(nn.Module):
    """The adapter of one matrix W: `scale * B A x`, B starting at zero.

    With magnitudes, the direction of each row of `W + scale * B A` and its length are learnt
    apart. With an origin, the change is counted from there, so that A and B may start
    anywhere and the adapter still starts at nothing.

    Shapes: A `[r, in]`, B `[out, r]`, magnitude `[out]`. Source: LoRA, arXiv 2106.09685; DoRA,
    arXiv 2402.09353 (its section 4.3: the norm takes no gradient).
    """

    magnitude: nn.Parameter | None
    origin_a: Tensor | None
    origin_b: Tensor | None

    def __init__(
        self, *, inputs: int, outputs: int, rank: int, scale: float, dropout: float
    ) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.register_parameter("magnitude", None)
        self.register_buffer("origin_a", None)
        self.register_buffer("origin_b", None)
        self.scale = scale
        self.dropout = dropout

    @property
    def plain(self) -> bool:
        """Whether the change is the same for every input and adds to W's own output."""
        return self.magnitude is None and not (self.dropout and self.training)

    def factors(self) -> Factors:
        """The pair whose product is the change; twice the rank where there is an origin."""
        if self.origin_a is None or self.origin_b is None:
            return Factors(a=self.a, b=self.b)
        return Factors(
            a=torch.cat([self.a, self.origin_a]), b=torch.cat([self.b, -self.origin_b], 1)
        )

    def change(self, first: int) -> Change:
        """The change as `frozen_linear` takes it, on the outputs from row `first` on."""
        pair = self.factors()
        return Change(first=first, a=pair.a, b=pair.b, scale=self.scale)

    def forward(self, x: Tensor, out: Tensor, dense: Callable[[], Tensor]) -> Tensor:
        """What is added to `out`, which is `x W^T`; `dense` gives W."""
        made = self.beside(x, dense)
        change: Tensor = (made.low @ made.up.to(x.dtype).T) * made.scale
        if made.longer is None:
            return change
        longer = made.longer.to(x.dtype)
        return (longer - 1) * out + longer * change

    def beside(self, x: Tensor, dense: Callable[[], Tensor]) -> Beside:
        """What it makes of `x`; `dense` gives W."""
        if self.dropout and self.training:
            x = nn.functional.dropout(x, self.dropout)
        pair, longer = self.factors(), None
        if self.magnitude is not None:
            with torch.no_grad():
                norm = torch.linalg.vector_norm(self._sum(dense().float()), dim=1)
            longer = self.magnitude / norm
        low = x @ pair.a.to(x.dtype).T
        return Beside(low=low, up=pair.b, scale=self.scale, longer=longer)

    @torch.no_grad()
    def merged(self, weight: Tensor) -> Tensor:
        """The matrix `[out, in]` that does what W and its adapter do, in float32."""
        whole = self._sum(weight.float())
        if self.magnitude is None:
            return whole
        norm = torch.linalg.vector_norm(whole, dim=1, keepdim=True)
        scaled: Tensor = whole * (self.magnitude[:, None] / norm)
        return scaled

    def _sum(self, weight: Tensor) -> Tensor:
        pair = self.factors()
        return torch.addmm(weight, pair.b, pair.a, alpha=self.scale)

    @torch.no_grad()
    def take_magnitudes(self, weight: Tensor) -> None:
        """Learn lengths of their own from those W's rows have now."""
        norm = torch.linalg.vector_norm(self._sum(weight.float()), dim=1)
        self.magnitude = nn.Parameter(norm)

    @torch.no_grad()
    def take_principal(self, weight: Tensor, *, seed: int) -> None:
        """Start from W's greatest singular directions, as the origin too.

        W itself stays as it is, so that other adapters and the base's digest do. Source: PiSSA,
        arXiv 2404.02948; the randomised decomposition is that of arXiv 0909.4061.
        """
        rank = self.a.shape[0]
        more = min(rank + 8, *weight.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            left, sizes, right = torch.svd_lowrank(weight.float(), q=more, niter=16)
        root = (sizes[:rank] / self.scale).sqrt()
        self.a[: len(root)] = root[:, None] * right[:, :rank].T
        self.b[:, : len(root)] = left[:, :rank] * root
        self.origin_a, self.origin_b = self.a.detach().clone(), self.b.detach().clone()
