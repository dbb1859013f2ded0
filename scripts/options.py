"""The options that commands share, and the settings that they give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from configs.schema import Config

ConfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        help="A YAML of settings. Those it leaves out have their defaults. Given again, the later file's "
        "settings count: `-c my_shop.yaml -c configs/models/hstu.yaml`.",
        metavar="FILE",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="Change one setting: `--set training.seed=3`. May be given again.",
        metavar="KEY=VALUE",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="The workspace: the folder for everything made. Default: `shop`.", metavar="DIR"
    ),
]
AGAIN: Final = "(with the same --config, --set and --out)"
RunOption = Annotated[
    str | None, typer.Option("--run", help="A run's name or folder. Default: the newest finished one.")
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="A bundle folder. Default: the champion.", metavar="DIR")
]


def load_settings(config: list[Path] | None, overrides: list[str] | None, out: Path | None) -> Config:
    """The settings of a command's options. Raises ConfigError with the names that could stand there."""
    from configs.load import load_config
    from serving.recommend.check_settings import check_settings

    settings = load_config(*(config or ()), overrides=overrides or (), workspace=out)
    check_settings(settings)
    return settings
