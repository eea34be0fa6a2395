"""The shape of a model the flat backbone computes."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.engine.elementwise import Activation
from tutelage.engine.rope import Rope


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What the attention of one layer sees."""

    rope: Rope | None  # None: positions are not told to it
    window: int | None = None  # the last so many tokens, itself counted; None: all before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Shape of a dense decoder: RMS norms, rotary positions, gated MLP."""

    family: str
    vocabulary: int
    hidden: int
    heads: int
    key_heads: int
    head_width: int
    inner: int
    context: int
    norm_epsilon: float
    tied: bool
    attention: tuple[Layer, ...]  # one a layer
    activation: Activation = "silu"
    qkv_bias: bool = False
    qk_norm: bool = False
    fused: bool = False  # the hub keeps q, k, v and gate, up as one matrix each
    sandwiched: bool = False  # norms after attention and MLP too
    norm_offset: float = 0.0  # added to the weights of norms
    embedding_scale: float | None = None
    score_scale: float | None = None  # of attention; None: one over the root of head_width
    score_cap: float | None = None  # attention scores are kept softly within it
    logit_cap: float | None = None  # the head's likewise

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len(self.attention)

    @property
    def parameters(self) -> int:
        """Number of weights, a tied head counted once."""
        rows = (self.heads + 2 * self.key_heads) * self.head_width
        attention = self.hidden * (rows + self.heads * self.head_width)
        norms = (4 if self.sandwiched else 2) * self.hidden
        small = rows * self.qkv_bias + 2 * self.head_width * self.qk_norm + norms
        block = attention + 3 * self.hidden * self.inner + small
        head = 0 if self.tied else self.vocabulary * self.hidden
        return self.vocabulary * self.hidden + self.layers * block + self.hidden + head
