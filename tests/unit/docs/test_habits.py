"""Version, changelog, make and pre-commit agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version

import yaml
from pages import ROOT
from typer.testing import CliRunner

from scripts.cli import app

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_version_is_that_of_the_package_and_of_the_changelog() -> None:
    printed = CliRunner().invoke(app, ["--version"])
    assert printed.output == f"shopkeeper {version('shopkeeper')}\n"
    assert printed.exit_code == 0
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$",
        (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.M,
    )
    assert released[0] == PROJECT["version"]


def test_the_licence_is_the_one_that_the_package_names() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["license"] == "Apache-2.0"


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    assert {"install", "demo", "check", "test", "docs", "docs-serve"} <= set(targets)
    assert [target for target in targets if not re.search(rf"make {target}\s+\S", listed)] == []


def test_pre_commit_checks_what_make_check_checks() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    made = re.findall(r"\$\(BIN\)/(.*)", recipe[1].replace(" .\n", "\n"))
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook.removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in hooks] == made


def test_ci_runs_the_checks_the_site_and_the_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make (\w+)$", script, re.MULTILINE) == ["check", "docs", "test"]
