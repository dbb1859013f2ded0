"""The folders that benchmarks read from and write to."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
"""Generated pages; pictures are below it."""
RESULTS = DOCS / "results"
"""Kept results, one JSON file each."""
YAMLS = ROOT / "configs" / "benchmarks"
"""One configuration per data set."""
