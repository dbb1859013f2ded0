"""Writes the README's tree, one phrase a file, from the first sentence of each file's docstring.

python -m scripts.document_tree
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = (
    *(
        "configs",
        "features",
        "features/sources",
        "models",
        "training",
        "training/review",
        "serving",
        "scripts",
    ),
    *("benchmarks", "benchmarks/speed", "benchmarks/peers"),
)
BEGIN, END = "<!-- tree: python -m scripts.document_tree -->", "<!-- end of tree -->"


def tree() -> str:
    """The tree as a text block."""
    lines = []
    for folder in FOLDERS:
        files = [file for file in sorted((ROOT / folder).glob("*.py")) if file.name != "__init__.py"]
        lines.append(f"{folder}/")
        lines += [f"    {file.name:<27} {_phrase(file)}" for file in files]
    lines.append(
        f"{'serving/shop/':<31} the shop page: plain HTML, one style sheet and scripts, no framework"
    )
    lines.append(
        f"{'tests/':<31} unit/ mirrors the tree; contract/ for every model; parity/; e2e/ for commands, "
        "server and browser"
    )
    return "\n".join(lines)


def with_tree(readme: str) -> str:
    """The README with its tree made anew."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```text\n{tree()}\n```\n{END}{after}"


def _phrase(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    sentence = " ".join(docstring.split("\n\n")[0].split()).split(". ")[0].split(".  ")[0]
    return sentence.rstrip(".")


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_tree(path.read_text(encoding="utf-8")), encoding="utf-8")
