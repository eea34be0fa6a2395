"""`train`: how the adapter is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from tutelage.core.conversation import Role
from tutelage.core.recipe.section import Section

Loc = tuple[str | int, ...]
Precision = Literal["auto", "bf16", "fp32"]
Quantisation = Literal["nf4", "int8"]


class Lora(Section):
    """Low-rank weights added to the base; used by `method: lora` and `method: qlora`."""

    rank: int = Field(16, ge=1, description="Rank of each pair of matrices.")
    alpha: float = Field(
        32.0, gt=0, le=1e6, description="Scale: the update is multiplied by alpha / rank."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of inputs left out in training.")
    targets: tuple[str, ...] | Literal["all"] = Field(
        "all",
        description="Layers to adapt: names, or regular expressions for whole paths; "
        "`all` but the head, which is adapted where it is named (`lm_head`).",
    )
    rslora: bool = Field(
        False, description="Multiply by alpha / sqrt(rank), so that a high rank learns as fast."
    )
    dora: bool = Field(False, description="Learn the length of each row apart from its direction.")
    init: Literal["default", "pissa"] = Field(
        "default",
        description="`pissa` starts from each matrix's principal part; saved in twice the rank.",
    )
    plus: float | None = Field(
        None,
        gt=0,
        description="Rate of the second matrices (B) as a multiple of the first's; LoRA+ takes 16.",
    )
    quantisation: Quantisation | None = Field(
        None, description="How `method: qlora` keeps the base; `nf4` if left out."
    )


class Teach(Section):
    """Which words of a conversation are taught; the rest is only read."""

    turns: Literal["all", "last"] = Field("all", description="All turns of `roles`, or the last.")
    roles: tuple[Role, ...] = Field(
        ("assistant",), min_length=1, description="Whose turns are taught."
    )
    reasoning: Literal["teach", "read"] = Field(
        "teach", description="Reasoning before an answer: taught, or only read."
    )
    tool_calls: Literal["teach", "read"] = Field(
        "teach", description="Turns that call tools: taught, or only read."
    )


class Quotas(Section):
    """Greatest share of the rows that may be lost before training; beyond it nothing starts."""

    refused: float = Field(0.0, ge=0, le=1, description="The template cannot express them.")
    unsupervised: float = Field(0.0, ge=0, le=1, description="Nothing in them is taught.")
    forged: float = Field(0.0, ge=0, le=1, description="They hold a marker of the template.")
    too_long: float = Field(0.01, ge=0, le=1, description="Left out: longer than the context.")
    truncated: float = Field(0.01, ge=0, le=1, description="Cut to the context.")


class EarlyStopping(Section):
    """Training ends once a measure has stopped getting better."""

    metric: str = Field(
        "validation_loss",
        pattern=r"^(validation_loss|[^.\s]+\.[^.\s]+)$",
        description="`validation_loss`, or SUITE.METRIC scored on tasks of the validation split.",
    )
    patience: int = Field(3, ge=1, description="Validations in a row without a better one.")
    min_delta: float = Field(0.0, ge=0, description="How much better counts as better.")
    tasks: int = Field(64, ge=1, description="Tasks that are answered at each validation.")


class NewToken(Section):
    """A token that the base's tokenizer does not have yet."""

    text: str = Field(min_length=1, pattern=r"\S", description="What it stands for.")
    special: bool = Field(
        False, description="A marker: only the template writes it, and messages cannot forge it."
    )


class Train(Section):
    """Dataset to an Adapter."""

    base: str = Field(
        min_length=1, description="`tutelage/tiny`, a Hugging Face id, or a folder of a model."
    )
    method: Literal["lora", "qlora", "full"] = Field(
        "lora", description="Adapter weights, those over a base kept in few bits, or all weights."
    )
    optimizer: Literal["adamw", "adamw8bit", "muon"] = Field(
        "adamw", description="Update rule; `adamw8bit` keeps its memory in a quarter of the bytes."
    )
    learning_rate: float | None = Field(
        None, gt=0, description="Peak rate; by method, optimizer and size if left out."
    )
    epochs: int = Field(1, ge=1, description="Passes over the training split.")
    rows_tokens: int = Field(2048, ge=16, description="Length of a packed row in tokens.")
    step_tokens: int = Field(4096, ge=16, description="Tokens of one optimizer step.")
    warmup: float = Field(0.03, ge=0, lt=1, description="Share of steps the rate climbs.")
    schedule: Literal["cosine", "linear", "constant", "wsd"] = Field(
        "cosine", description="How the rate falls after the warm-up; `wsd` holds it, then falls."
    )
    decay: float | None = Field(
        None, gt=0, le=1, description="Share of steps in which `wsd` falls; 0.2 if left out."
    )
    weight_decay: float = Field(0.0, ge=0, description="Decoupled decay of weight matrices.")
    clip_norm: float = Field(1.0, gt=0, description="Greatest norm of a step's gradient.")
    teach: Teach = Field(default_factory=Teach, description="Which words are taught.")
    quotas: Quotas = Field(
        default_factory=Quotas, description="How many rows may be lost on the way to a lesson."
    )
    lora: Lora = Field(default_factory=Lora, description="Shape of the adapter.")
    freeze: tuple[str, ...] = Field(
        (),
        description="Weights that stay as they are with `method: full`: names, or regular "
        "expressions for whole names.",
    )
    new_tokens: tuple[str | NewToken, ...] = Field(
        (),
        description="Tokens added to the base's, and trained: texts, or {text, special: true}.",
    )
    start_from: str | None = Field(
        None, min_length=1, description="Adapter to go on from: an artifact's name, or a folder."
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the target spread over the whole vocabulary."
    )
    z_loss: float = Field(
        0.0, ge=0, description="Weight of the squared log-normaliser, which keeps logits small."
    )
    neftune: float | None = Field(
        None, gt=0, description="Noise on embeddings in training (NEFTune's alpha); 5 is usual."
    )
    validate_every_steps: int | None = Field(
        None, ge=1, description="Steps between validations; once an epoch if left out."
    )
    checkpoint_every_seconds: float = Field(
        60.0, gt=0, description="Seconds between checkpoints to resume from."
    )
    checkpoints_kept: int = Field(
        2, ge=1, description="Checkpoints kept: the newest, and those before it."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="When to stop before the last step; never if left out."
    )
    keep: Literal["best", "last"] | None = Field(
        None, description="Whose step's weights are saved; best with `early_stopping`, else last."
    )
    on_nan: Literal["stop", "skip"] = Field(
        "stop", description="What a loss or gradient that is not finite does: stop, or skip a step."
    )
    on_spike: Literal["tell", "skip", "stop"] = Field(
        "tell", description="What a step does whose loss leaps above those before it."
    )
    precision: Precision = Field("auto", description="Number format of forward and backward pass.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where it runs; `auto` takes a CUDA device where there is one."
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto", description="Whether layers are compiled; `auto` where the steps are enough to pay."
    )
    gradient_checkpointing: Literal["none", "selective", "full"] = Field(
        "none", description="Parts of a layer computed again for their gradient, to spare memory."
    )
    activation_offload: bool = Field(
        False, description="What the backward pass needs waits in main memory; on a CUDA device."
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; torch's choice if left out."
    )
    parallel: Literal["auto", "replicate", "shard"] = Field(
        "auto",
        description="Among several processes: every one holds all weights, or a part of each; "
        "`auto` shards what one GPU cannot hold.",
    )
    sinks: tuple[Literal["mlflow", "wandb", "tensorboard"], ...] = Field(
        (), description="Trackers that are told each step beside `journal.jsonl`; no network."
    )
    seeds: int = Field(
        1,
        ge=1,
        le=32,
        description="Trainings that differ in their random seeds alone; the first is released, "
        "the others tell how much chance is in it.",
    )
    init: Literal["pretrained", "random"] = Field(
        "pretrained", description="`random` starts from untrained weights: the control run."
    )

    def contradictions(self) -> Iterator[tuple[Loc, str]]:
        """Places of this section that do not go together, and what is wrong."""
        idle: list[tuple[Loc, bool]] = [
            (("freeze",), bool(self.freeze) and self.method != "full"),
            (("lora", "quantisation"), self.lora.quantisation is not None and not self.base_form),
        ]
        if self.method == "full":
            plain = Lora()
            given = (name for name in Lora.model_fields if name != "quantisation")
            idle += [
                (("lora", name), getattr(self.lora, name) != getattr(plain, name)) for name in given
            ]
        for place, found in idle:
            if found:
                key = ".".join(map(str, place))
                yield place, f"`{key}` has no effect with `method: {self.method}`"
        if self.decay is not None and self.schedule != "wsd":
            problem = f"has no effect with `schedule: {self.schedule}`; `wsd` has a decay"
            yield ("decay",), f"`decay` {problem}"
        targets = () if self.lora.targets == "all" else self.lora.targets
        lists: list[tuple[Loc, Sequence[str]]] = [
            (("new_tokens",), [one.text for one in self.added_tokens]),
            (("sinks",), self.sinks),
            (("freeze",), self.freeze),
            (("lora", "targets"), targets),
        ]
        for place, names in lists:
            for number, name in enumerate(names):
                if name in names[:number]:
                    yield (*place, number), f"`{name}` is named twice"
        if self.start_from is not None:
            for place, found in (
                (("init",), self.init == "random"),
                (("lora", "init"), self.lora.init == "pissa"),
            ):
                if found:
                    yield place, f"`start_from` brings the weights; leave `{'.'.join(place)}` out"

    @property
    def added_tokens(self) -> tuple[NewToken, ...]:
        """`new_tokens`, a plain text being a token that is no marker."""
        return tuple(NewToken(text=one) if isinstance(one, str) else one for one in self.new_tokens)

    @property
    def base_form(self) -> Quantisation | None:
        """In how few bits the base is kept while it is trained on; None where it is not."""
        return (self.lora.quantisation or "nf4") if self.method == "qlora" else None
