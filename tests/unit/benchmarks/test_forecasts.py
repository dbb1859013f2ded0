"""The benchmark of forecasts: measured on customers drawn at random, and its page."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from forecast_shop import drawn_shop

from benchmarks.forecasts import CDNOW, measure, of_cdnow
from benchmarks.forecasts_page import forecasts_page
from configs.load import load_config

MACHINE = {"commit": "0123456789abcdef", "uncommitted_changes": True, "cpu": "a processor"}


def test_drawn_customers_are_measured_and_the_page_says_so(tmp_path: Path) -> None:
    config = load_config(overrides=["evaluation.bootstrap_samples=10"])
    found = measure(drawn_shop(customers=500), config, lengths=(20,))
    first, _, last = found["windows"]
    assert first["as_of"] < last["as_of"]
    rows = [[f"c{number}", number % 4, 5.0 * (number % 4), 30.0 + number % 9, 9.5] for number in range(40)]
    pl.DataFrame(rows, schema=["ID", "x", "t_x", "T", "zbar"], orient="row").write_csv(tmp_path / CDNOW)
    cdnow = of_cdnow(tmp_path)
    assert cdnow is not None
    page = forecasts_page([{"data": "corner-shop", "read_s": 0.1, **found, **MACHINE}], cdnow)
    assert "0123456789 with changes" in page
    trees, rules = last["systems"]["lightgbm"], last["systems"]["rfm"]
    row = next(line for line in page.splitlines() if line.startswith(f"| {last['as_of'][:10]}, "))
    assert f"| boosted trees | {trees['auc']:.3f} | {trees['brier']:.4f} |" in row
    assert rules["above"]["auc"][0] == pytest.approx(trees["auc"] - rules["auc"])
    assert "| BG/NBD (Fader, Hardie and Lee 2005) | log_likelihood | -9582.4 |" in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_without_cdnows_file_its_kept_result_stays(tmp_path: Path) -> None:
    assert of_cdnow(tmp_path) is None
