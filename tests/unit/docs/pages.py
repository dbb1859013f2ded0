"""The pages that people read, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
ROOT_PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [*ROOT_PAGES, *sorted(DOCS.rglob("*.md"))]
QUICKSTART, QUICKSTART_ZH = DOCS / "quickstart.md", DOCS / "quickstart-zh.md"
STARTS = [ROOT / "README.md", QUICKSTART, QUICKSTART_ZH]
"""Pages that show the worked example."""

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """A page's path in the repository, for the names of tests."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The page's blocks of a language, in order, without what indents them."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [re.sub(f"^{indent}", "", text, flags=re.M) for indent, kind, text in found if kind == language]


def commands(page: Path) -> list[str]:
    """What stands after `$ ` in the page's console blocks: continued lines joined, comments gone."""
    text = re.sub(r"\\\n\s*", "", "\n".join(blocks(page, "console")))
    lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+# .*$", "", line).strip() for line in lines]
