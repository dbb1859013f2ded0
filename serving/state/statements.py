"""What a writer executes in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

Statement = tuple[str, Sequence[object]]
"""SQL and its parameters"""
