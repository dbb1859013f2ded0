"""What the site has beside the pages in docs/: the reference from docstrings, and files outside docs/.

mkdocs loads this file as a hook (mkdocs.yml). A package's page is found by walking the tree, so a module that
moves, or is new, is where it belongs at the next build.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
PACKAGES: Final = ("configs", "features", "models", "training", "serving")
"""Where the reference begins; every package below is found."""

ROOT_PAGES: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Pages that stand beside the README, and where the site has them."""

_LINK: Final = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)#\s]+)((?:#[^)\s]*)?\))")


def packages() -> list[str]:
    """Every package of the reference by its dotted name, each before those inside it."""
    found = [
        file.parent.relative_to(ROOT)
        for package in PACKAGES
        for file in (ROOT / package).rglob("__init__.py")
    ]
    return sorted((".".join(path.parts) for path in found), key=lambda name: _key(name))


def _key(name: str) -> tuple[int, list[str]]:
    return PACKAGES.index(name.partition(".")[0]), name.split(".")


def modules(package: str) -> list[str]:
    """The modules of a package, not those of the packages inside it."""
    folder = ROOT.joinpath(*package.split("."))
    return [f"{package}.{file.stem}" for file in sorted(folder.glob("*.py")) if file.stem != "__init__"]


def page_of(package: str) -> str:
    """Where the site has a package."""
    inside = [name for name in packages() if name.startswith(f"{package}.")]
    return f"reference/{package.replace('.', '/')}{'/index' if inside else ''}.md"


def package_page(package: str) -> str:
    """A package's page in Markdown: what it is for, its packages, its modules."""
    parts = [f"# {package}\n", _docstring(ROOT.joinpath(*package.split("."), "__init__.py"))]
    inside = [name for name in packages() if name.rpartition(".")[0] == package]
    if inside:
        here = posixpath.dirname(page_of(package))
        rows = [
            f"| [{name}]({posixpath.relpath(page_of(name), here)}) | "
            f"{_first_line(ROOT.joinpath(*name.split('.'), '__init__.py'))} |"
            for name in inside
        ]
        parts.append("\n".join(["| package | |", "|---|---|", *rows]))
    parts += [f"::: {module}" for module in modules(package)]
    return "\n\n".join(part for part in parts if part) + "\n"


def reference_nav() -> list[Any]:
    """The reference as mkdocs' `nav` has it: packages inside packages."""
    return ["reference/index.md", *(_nav_of(package) for package in PACKAGES)]


def decisions_nav() -> list[str]:
    """The list of decisions, then each by its number."""
    return [
        "decisions/index.md",
        *(f"decisions/{path.name}" for path in sorted((DOCS / "decisions").glob("0*.md"))),
    ]


def _nav_of(package: str) -> dict[str, Any]:
    inside = [name for name in packages() if name.rpartition(".")[0] == package]
    title = package.rpartition(".")[2]
    return {title: [page_of(package), *(_nav_of(name) for name in inside)] if inside else page_of(package)}


def _docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def _first_line(file: Path) -> str:
    return " ".join(_docstring(file).split("\n\n")[0].split())


def site_link(link: str, *, page: str) -> str:
    """A link of a page as the site has it: files outside docs/ and folders have a place of their own."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    here = posixpath.dirname(page)
    if target in ROOT_PAGES:
        return posixpath.relpath(ROOT_PAGES[target], here or ".")
    if target.startswith("docs/") and (ROOT / target).is_dir():
        return posixpath.relpath(f"{target.removeprefix('docs/')}/index.md", here or ".")
    if not target.startswith(("docs/", "..")) and (ROOT / target).is_file():
        return posixpath.relpath(f"files/{target}.txt", here or ".")
    return link


def with_site_links(markdown: str, *, page: str) -> str:
    """A page whose links lead where the site has things."""
    return _LINK.sub(lambda found: found[1] + site_link(found[2], page=page) + found[3], markdown)


def files_linked() -> list[str]:
    """Files outside docs/ that pages link to, as the site shows them: `configs/csv_example.yaml`."""
    found = set()
    for path in [*DOCS.rglob("*.md"), *(ROOT / name for name in ROOT_PAGES)]:
        folder = posixpath.dirname(path.relative_to(ROOT).as_posix())
        for link in _LINK.findall(path.read_text(encoding="utf-8")):
            target = posixpath.normpath(posixpath.join(folder, link[1]))
            if (
                not target.startswith(("docs/", ".."))
                and (ROOT / target).is_file()
                and target not in ROOT_PAGES
            ):
                found.add(target)
    return sorted(found)


def results_page(folder: Path) -> str:
    """A list of a folder's kept results."""
    names = sorted(path.name for path in folder.iterdir())
    lines = [f"- [{name}]({name}{'/index.md' if (folder / name).is_dir() else ''})" for name in names]
    return "\n".join([f"# Kept results: {folder.relative_to(DOCS).as_posix()}\n", *lines, ""])


# What mkdocs calls.


def on_config(config: Any) -> Any:
    """The decisions and the reference's pages take their place in the navigation."""
    config.nav[-2] = {"Decisions": decisions_nav()}
    config.nav[-1] = {"Reference": reference_nav()}
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """Pages that are made at the build."""
    from mkdocs.structure.files import File

    made = {page_of(package): package_page(package) for package in packages()}
    for folder in (DOCS / "results", DOCS / "results" / "published"):
        made[f"{folder.relative_to(DOCS).as_posix()}/index.md"] = results_page(folder)
    for source, page in ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        made[page] = _LINK.sub(lambda link: link[1] + posixpath.relpath(link[2], "docs") + link[3], text)
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    for name in files_linked():
        files.append(File.generated(config, f"files/{name}.txt", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Links that lead out of docs/ lead to the site's copies."""
    return with_site_links(markdown, page=page.file.src_uri)
