"""Help that teaches, at once."""

from __future__ import annotations

import re
import subprocess
import sys
import typing

import pytest
import typer.main
from command_line import RunMain

from scripts.cli import app

HEAVY = ("polars", "torch", "pytorch_lightning", "ray", "mlflow", "faiss", "onnxruntime", "numpy")
HEAVY = ("torch", "pytorch_lightning", "polars", "ray", "mlflow", "faiss", "onnxruntime", "numpy")
"""Each takes from a tenth of a second to seven to import."""
WHAT_IS_LOADED = f"""
import sys
from scripts.cli import main
try:
    main()
finally:
    print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
COMMANDS = (
    "prepare",
    "train",
    "evaluate",
    "export",
    "compare",
    "promote",
    "refresh",
    "serve",
    "recommend",
    "product-bundles",
    "forecast",
    "segments",
    "channels",
    "returns",
    "reviews",
    "report",
    "demo",
    "events import",
    "events export",
    "keys create",
    "keys list",
    "keys revoke",
    "keys secret",
    "keys token",
)


def options_of(command: str) -> list[str]:
    found: typing.Any = typer.main.get_command(app)
    for name in command.split():
        found = found.commands[name]
    return [option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_says_what_the_command_does(
    shopkeeper: RunMain, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = shopkeeper(*command.split(), "--help")
    assert done.status == 0
    assert "Usage: shopkeeper" in done.out
    options = options_of(command)
    assert {"--config", "--set", "--out"} <= set(options)
    assert [option for option in options if option not in done.out] == []
    described = re.findall(r"--[a-z-]+ .*? {2,}\S*.*[A-Za-z]{3}.*[.)]", done.out)
    assert len(described) >= 3


def test_help_shows_every_command(shopkeeper: RunMain) -> None:
    done = shopkeeper("--help")
    assert [
        name
        for name in (*(one for one in COMMANDS if " " not in one), "events", "keys")
        if not re.search(rf"\b{name}\b", done.out)
    ] == []
    assert "\x1b" not in done.out


@pytest.mark.parametrize("arguments", [(), ("train", "--help"), ("serve", "--help")])
def test_help_comes_at_once_without_the_heavy_libraries(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", WHAT_IS_LOADED, *(arguments or ("--help",))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.split() == []
