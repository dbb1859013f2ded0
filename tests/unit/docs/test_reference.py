"""The reference has every module, wherever it lies, and links lead where the site has things."""

from __future__ import annotations

import pytest
from pages import ROOT

from scripts.document_reference import (
    PACKAGES,
    files_linked,
    modules,
    package_page,
    packages,
    page_of,
    reference_nav,
    site_link,
)


def test_every_module_is_on_the_page_of_its_package() -> None:
    on_disk = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert {module for package in packages() for module in modules(package)} == on_disk
    for package in packages():
        page = package_page(package)
        assert [module for module in modules(package) if f"::: {module}\n" not in page] == []


def test_every_page_is_in_the_navigation() -> None:
    shown = str(reference_nav())
    assert [package for package in packages() if f"'{page_of(package)}'" not in shown] == []


def test_every_package_says_what_it_is_for() -> None:
    assert [
        package for package in packages() if package_page(package).split("\n\n")[1].startswith((":::", "|"))
    ] == []


@pytest.mark.parametrize(
    ("link", "page", "there"),
    [
        ("data.md", "review.md", "data.md"),
        ("results", "benchmarks.md", "results/index.md"),
        ("../configs/csv_example.yaml", "quickstart.md", "files/configs/csv_example.yaml.txt"),
        ("../experiments.md", "decisions/index.md", "../experiments.md"),
        ("../CONTRIBUTING.md", "index.md", "contributing.md"),
    ],
)
def test_a_link_leads_where_the_site_has_it(link: str, page: str, there: str) -> None:
    assert site_link(link, page=page) == there


def test_files_that_pages_link_to_are_found() -> None:
    assert "configs/csv_example.yaml" in files_linked()
    assert all((ROOT / name).is_file() for name in files_linked())


def test_columns_of_a_docstring_stay_columns() -> None:
    columns_as_code = pytest.importorskip("scripts.document_docstrings").columns_as_code
    prose, columns = "One sentence,\nand another.", "items.npy     vectors\nids.parquet   raw ids"
    assert columns_as_code(f"{prose}\n\n{columns}\n\n{prose}").split("\n\n") == [
        prose,
        "    items.npy     vectors\n    ids.parquet   raw ids",
        prose,
    ]
