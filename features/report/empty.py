"""A section that has nothing to show, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Empty:
    """Stands where a section's figures would be."""

    reason: str
    """The key of a sentence, `empty.REASON` in the language files"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence's placeholders stand for"""
