"""What all parts of the configuration have in common."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Refuses a key that it does not know, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
