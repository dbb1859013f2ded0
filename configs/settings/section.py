"""What every section of settings shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A frozen group of settings that rejects unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
