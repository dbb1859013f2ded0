"""The README says what is true: its tree, and the commands it names."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch

from configs.schema import EncoderConfig
from models.data_shape import DataShape
from scripts.cli import app
from scripts.document_tree import ROOT, with_tree

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tree_is_that_of_the_files() -> None:
    assert with_tree(README) == README, "python -m scripts.document_tree brings the README's tree up to date"


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"^\$ shopkeeper (\w+)", README, re.MULTILINE))
    assert named
    assert named <= {command.callback.__name__ for command in app.registered_commands if command.callback}


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", README)) - {"demo's"}
    assert {"demo", "test", "check"} <= named <= targets | {"it"}


def test_every_local_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_worked_example_is_the_file_in_configs() -> None:
    """The README's YAML and configs/csv_example.yaml have the same settings."""
    import yaml

    block = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert yaml.safe_load(block.group(1)) == yaml.safe_load(
        Path(ROOT / "configs" / "csv_example.yaml").read_text(encoding="utf-8")
    )


def test_nothing_is_left_to_be_filled_in() -> None:
    assert "@@" not in README
    assert "Not measured" not in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_the_model_that_the_readme_adds_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code runs as it stands there, in the contract's terms: states for every position, of the items'
    width."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (code,) = [block for block in blocks if "class MeanPool" in block]
    (tmp_path / "mean_pool.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("mean_pool").MeanPool(
        EncoderConfig(dim=8), DataShape(num_items=5, max_length=4)
    )
    items, lengths = torch.tensor([[0, 1, 2], [3, 4, 0]]), torch.tensor([3, 2])
    states = made.hidden_states(made.item_vectors(items), torch.zeros_like(items), torch.zeros(2, 3), lengths)
    assert states.shape == (2, 3, 8)
    assert made.query_vectors(
        made.item_vectors(items), torch.zeros_like(items), torch.zeros(2, 3), lengths
    ).shape == (2, 8)
