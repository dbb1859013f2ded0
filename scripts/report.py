"""`shopkeeper report`: the shop on one page, for people who read no tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from scripts.options import ConfigOption, OutOption, SetOption, load_settings

PAGE: Final = "report.html"


def report(
    config: ConfigOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    language: Annotated[
        str, typer.Option("--language", help="en or zh: the language of the page.", metavar="CODE")
    ] = "en",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Where the page goes. Default: `report.html` in the workspace.", metavar="FILE"
        ),
    ] = None,
    pdf: Annotated[
        bool,
        typer.Option("--pdf", help="Print the page to a PDF beside it too, by Chromium, Chrome or Edge."),
    ] = False,
) -> None:
    """Write the shop on one page: orders, funnel, cohorts, customers, bundles, product stages, lists.

    It needs `shopkeeper prepare`, and shows what `segments`, `product-bundles` and `evaluate` made, where
    they ran. The page is one HTML file that loads nothing and names nobody; groups of fewer than
    `customers.min_group_size` people are not in it.

        shopkeeper report -c my_shop.yaml --language zh --output report.html --pdf
    """
    settings = load_settings(config, set_, out)
    from configs.console import log
    from configs.exceptions import ConfigError
    from features.core.artefact import writing_file
    from features.ingest.tables import Tables
    from scripts.report_page.gather import gather
    from scripts.report_page.language import LANGUAGES, Language
    from scripts.report_page.pdf import write_pdf
    from scripts.report_page.rendering import render

    if language not in LANGUAGES:
        raise ConfigError(f"--language {language}: is none of {', '.join(LANGUAGES)}.")
    path = output or settings.workspace / PAGE
    if path.suffix not in (".html", ".htm"):
        raise ConfigError(f"--output {path}: name a .html file; --pdf writes a PDF beside it.")
    currency = Tables.open(settings.workspace / "tables").manifest["currency"]
    page = render(gather(settings, progress=log), Language.load(language, currency=currency))
    with writing_file(path) as scratch:
        scratch.write_text(page, encoding="utf-8")
    typer.echo(str(path))
    if pdf:
        write_pdf(path, path.with_suffix(".pdf"))
        typer.echo(str(path.with_suffix(".pdf")))
