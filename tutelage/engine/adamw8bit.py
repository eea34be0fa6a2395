"""AdamW whose two moments are kept in eight bits.

Source: 8-bit Optimizers via Block-wise Quantization, arXiv 2110.02861: blocks share a scale, and
a code of few steps near one and many near zero. Written for any device torch has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

BLOCK = 256  # values that share a scale
PIECE = 1 << 20  # values updated at once, a multiple of a block
SMALL = 4096  # tensors with fewer values keep their moments whole: norms and biases
EXPONENTS, BITS = 7, 8
CODED = ("mean", "square")


def dynamic_code(*, signed: bool) -> Tensor:
    """The 256 values a byte may stand for, ascending: powers of ten, each split evenly.

    The leading zeros of a byte name the power, the bits left over the step within it.
    """
    values = [0.0, 1.0]
    for power in range(EXPONENTS):
        steps = 2 ** (power + BITS - EXPONENTS - signed) + 1
        edges = torch.linspace(0.1, 1.0, steps, dtype=torch.float64)
        magnitudes = ((edges[:-1] + edges[1:]) / 2 * 10.0 ** (power - EXPONENTS + 1)).tolist()
        values += [sign * one for one in magnitudes for sign in ((1, -1) if signed else (1,))]
    return torch.tensor(sorted(values), dtype=torch.float32)


class Coded:
    """Writing values as bytes and reading them back, by one code."""

    def __init__(self, *, signed: bool) -> None:
        self.code = dynamic_code(signed=signed)
        every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
        middles = (self.code[1:] + self.code[:-1]) / 2
        shares = every.view(torch.bfloat16).float().nan_to_num()
        self.nearest = torch.bucketize(shares, middles).to(torch.uint8)  # by a bf16's 16 bits

    def settle(self, device: torch.device) -> None:
        """Moves the tables to where the moments are; nothing where they are there."""
        if self.code.device != device:
            self.code, self.nearest = self.code.to(device), self.nearest.to(device)

    def write(self, values: Tensor, codes: Tensor, scales: Tensor) -> None:
        """Put values `[N]` in codes `[N]` uint8 and scales `[N / BLOCK]`."""
        blocks = _blocks(values)
        scales.copy_(blocks.abs().amax(1))
        shares = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
        bits = shares.bfloat16().view(torch.int16).view(-1)[: len(codes)]
        codes.copy_(self.nearest.index_select(0, bits.int() + 2**15))

    def read(self, codes: Tensor, scales: Tensor) -> Tensor:
        """Values `[N]` of what `write` wrote."""
        blocks = _blocks(self.code.index_select(0, codes.int()))
        return (blocks * scales[:, None]).view(-1)[: len(codes)]


def moment_bytes(values: int) -> int:
    """Bytes that the two moments of a weight of so many values take."""
    if values < SMALL:
        return 2 * 4 * values
    return 2 * (values + 4 * -(-values // BLOCK))


def _blocks(values: Tensor) -> Tensor:
    return torch.nn.functional.pad(values, (0, -len(values) % BLOCK)).view(-1, BLOCK)


class AdamW8bit(torch.optim.Optimizer):
    """AdamW with decoupled weight decay; computed in float32, remembered in eight bits."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})
        self._coded = {"mean": Coded(signed=True), "square": Coded(signed=False)}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad.float().view(-1), group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; torch would read bytes as the weights' precision."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in CODED:
                if f"{name}_scales" in state:
                    state[name] = state[name].to(torch.uint8)

    def _update(self, weight: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """A piece at a time, so that what is computed in between stays small."""
        state = self.state[weight]
        if not state:
            state.update(_fresh(weight))
        state["step"] += 1
        for coded in self._coded.values():
            coded.settle(weight.device)
        flat = weight.detach().view(-1)
        for low in range(0, len(flat), PIECE):
            span = slice(low, low + PIECE)
            mean, square = (self._moment(state, name, span) for name in CODED)
            mean.lerp_(grad[span], 1 - group["betas"][0])
            square.lerp_(grad[span].square(), 1 - group["betas"][1])
            _move(flat[span], mean, square, float(state["step"]), group)
            for name, values in zip(CODED, (mean, square), strict=True):
                if f"{name}_scales" in state:
                    codes, scales = state[name][span], state[f"{name}_scales"][_scales(span)]
                    self._coded[name].write(values, codes, scales)

    def _moment(self, state: dict[str, Tensor], name: str, span: slice) -> Tensor:
        if f"{name}_scales" in state:
            scales = state[f"{name}_scales"][_scales(span)]
            return self._coded[name].read(state[name][span], scales)
        return state[name][span]


def _scales(span: slice) -> slice:
    return slice(span.start // BLOCK, span.stop // BLOCK)


def _move(weight: Tensor, mean: Tensor, square: Tensor, done: float, group: dict[str, Any]) -> None:
    first, second = group["betas"]
    below = (square / (1 - second**done)).sqrt_().add_(group["eps"])
    weight.mul_(1 - group["lr"] * group["weight_decay"])
    change = mean / below
    weight.add_(change.to(weight.dtype), alpha=-group["lr"] / (1 - first**done))


def _fresh(weight: Tensor) -> dict[str, Tensor]:
    count, device = weight.numel(), weight.device
    state: dict[str, Tensor] = {"step": torch.zeros((), dtype=torch.float32)}
    for name in CODED:
        if count < SMALL:
            state[name] = torch.zeros(count, dtype=torch.float32, device=device)
        else:
            zero = int(torch.searchsorted(dynamic_code(signed=name == "mean"), 0.0))
            state[name] = torch.full((count,), zero, dtype=torch.uint8, device=device)
            state[f"{name}_scales"] = torch.zeros(-(-count // BLOCK), device=device)
    return state
