"""What a recipe says of a model behind an endpoint: a judge's keys, a teacher's."""

from __future__ import annotations

from pydantic import Field

from tutelage.core.recipe.section import Section


class ModelEndpoint(Section):
    """What every model behind an OpenAI-compatible endpoint is asked by."""

    endpoint: str = Field(
        pattern=r"^https?://", description="Address up to `/v1`, without `/chat/completions`."
    )
    model: str = Field(min_length=1, description="The model as the endpoint names it.")
    api_key_env: str | None = Field(None, description="Environment variable that holds the key.")
    temperature: float = Field(0.0, ge=0, le=2, description="Of its decoding.")
    max_new_tokens: int = Field(512, ge=1, description="Tokens of one reply at most.")
    retries: int = Field(4, ge=0, le=20, description="Further tries where it fails for a while.")
    timeout_seconds: float = Field(120.0, gt=0, description="Wait for one reply.")
    prompt_price: float = Field(0.0, ge=0, description="Of a million tokens it reads.")
    answer_price: float = Field(0.0, ge=0, description="Of a million tokens it writes.")

    @property
    def called(self) -> str:
        """What errors call it."""
        return f"model `{self.model}`"

    @property
    def place(self) -> str:
        """Where the recipe has it."""
        return "endpoint"
