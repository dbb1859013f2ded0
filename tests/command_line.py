"""The console script's own `main`, called in this process: the same code, without the seconds of imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from scripts.cli import main


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    status: int
    out: str
    err: str


RunMain = Callable[..., Done]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunMain:
    """A function that calls `shopkeeper` with the arguments given."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(os, "nice", lambda _: 0)  # it could not be taken back
        monkeypatch.setattr(sys, "argv", ["shopkeeper", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    return run
