"""The pages say what is true: links, commands, settings, requests, and the code on them."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
import torch
import typer.main
import yaml
from pages import DOCS, PAGES, QUICKSTART, QUICKSTART_ZH, ROOT, STARTS, blocks, commands, name_of
from pydantic import BaseModel

from configs.load import load_config
from configs.schema import Config
from configs.settings.encoder import EncoderConfig
from configs.settings.recommend import SurfaceConfig
from models.data_shape import DataShape
from scripts.cli import app
from serving.http.item_schemas import ItemFields, ItemsRequest
from serving.http.schemas import EventsRequest, PageRequest, RankRequest, RecommendRequest
from serving.http.user_schemas import MergeRequest, UserFields

EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=name_of)
OLD_NAMES_BELOW = "## Renamed in 0.2.0"


def keys(section: type[BaseModel], prefix: str = "") -> set[str]:
    """The dotted names of all settings and sections."""
    found = set()
    for name, field in section.model_fields.items():
        found.add(prefix + name)
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= keys(annotation, f"{prefix}{name}.")
    return found


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 12_288


@EVERY_PAGE
def test_every_local_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link, anchor in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)(?:#([^)\s]*))?\)", text):
        target = page.parent / link
        assert target.exists() or link in ("changelog.md", "contributing.md", "security.md"), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [
                re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
                for heading in headings
            ]
            assert anchor in slugs, f"{link}#{anchor}"


@EVERY_PAGE
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    root = typer.main.get_command(app)
    for line in commands(page):
        words = shlex.split(line)
        if words[0] != "shopkeeper":
            continue
        command, rest = root, words[1:]
        while rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, line
            command, rest = command.commands[rest[0]], rest[1:]
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in rest if re.match(r"--?[a-z]", word)} <= known, line


@EVERY_PAGE
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^\$ |\" )make ([a-z-]+)", text, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = keys(Config)
    sections = {name.partition(".")[0] for name in known if "." in name}
    text = page.read_text(encoding="utf-8").partition(OLD_NAMES_BELOW)[0]
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)(?:[=:][^`]*)?`", text))
    named |= set(re.findall(r"--set '?([a-z_]+\.[a-z_]+)=", text)) | set(
        re.findall(r"-s ([a-z_]+\.[a-z_.]+)=", text)
    )
    files = {
        "serving.recommend",
        "training.encoder",
        "features.readers",
        "features.retrievers",
    }  # packages have such names too
    assert sorted(name for name in named - known - files if name.partition(".")[0] in sections) == []


def test_what_settings_are_called_now_exists() -> None:
    """The right side of the glossary's table of old and new names."""
    table = (DOCS / "glossary.md").read_text(encoding="utf-8").partition(OLD_NAMES_BELOW)[2]
    known = keys(Config) | keys(SurfaceConfig, "surfaces.NAME.")
    named = [
        name
        for cell in re.findall(r"^\|[^|]+\|([^|]+)\|$", table, re.MULTILINE)
        for name in re.findall(r"`(\w+\.[\w.]+)", cell)
    ]
    assert len(named) > 15
    assert [name for name in named if name not in known] == []


@EVERY_PAGE
def test_every_yaml_block_is_settings(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        load_config(path)


REQUESTS: dict[str, type[BaseModel]] = {
    "recommend": RecommendRequest,
    "page": PageRequest,
    "rank": RankRequest,
    "events": EventsRequest,
    "items": ItemsRequest,
    "items/mug-7": ItemFields,
    "users/merge": MergeRequest,
    "users/1234": UserFields,
}


@EVERY_PAGE
def test_every_request_is_one(page: Path) -> None:
    """The bodies that pages send with curl are what the endpoints take."""
    for line in commands(page):
        if not line.startswith("curl") or "-d" not in (words := shlex.split(line)):
            continue
        (path,) = {word.partition("/v1/")[2] for word in words if "/v1/" in word}
        REQUESTS[path].model_validate_json(words[words.index("-d") + 1])


@pytest.mark.parametrize("page", STARTS, ids=name_of)
def test_the_worked_example_is_the_file_in_configs(page: Path) -> None:
    [block] = blocks(page, "yaml")
    example = (ROOT / "configs" / "csv_example.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(block) == yaml.safe_load(example)


@pytest.mark.parametrize("page", STARTS, ids=name_of)
def test_the_three_commands_are_those_of_the_end_to_end_test(page: Path) -> None:
    """tests/e2e runs the example with these commands, and `recommend` after them."""
    shown = [line for line in commands(page) if line.startswith("shopkeeper")]
    assert shown[:4] == [
        *(f"shopkeeper {command} --config my_shop.yaml" for command in ("prepare", "train", "export")),
        "shopkeeper recommend --config my_shop.yaml --user 1234",
    ]
    fixture = (ROOT / "tests" / "e2e" / "conftest.py").read_text(encoding="utf-8")
    assert '("prepare", "train", "export")' in fixture


def test_the_chinese_quickstart_has_the_same_commands_and_files() -> None:
    assert commands(QUICKSTART_ZH) == commands(QUICKSTART)
    assert blocks(QUICKSTART_ZH, "csv") == blocks(QUICKSTART, "csv")


def test_the_files_of_the_quickstart_have_the_columns_of_its_yaml() -> None:
    [block] = blocks(QUICKSTART, "yaml")
    data = yaml.safe_load(block)["data"]
    sales, products = (block.splitlines()[0].split(",") for block in blocks(QUICKSTART, "csv"))
    assert sales == list(data["event_columns"].values())
    assert products == list(data["item_columns"].values())


def test_nothing_is_left_to_be_filled_in() -> None:
    for page in PAGES:
        assert "@@" not in page.read_text(encoding="utf-8"), page
    assert "Not measured" not in (DOCS / "benchmarks.md").read_text(encoding="utf-8")


def test_the_list_of_decisions_has_them_all() -> None:
    folder = DOCS / "decisions"
    listed = re.findall(r"\]\((0\d+-[\w-]+\.md)\)", (folder / "index.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_glossary_is_in_alphabetical_order_and_names_each_term_once() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8").partition(OLD_NAMES_BELOW)[0]
    terms = [term.strip("`").lower() for term in re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)][1:]
    assert len(terms) > 40
    plain = [re.sub(r"[^a-z ]", " ", term) for term in terms]
    assert plain == sorted(set(plain))


def test_the_model_that_a_page_adds_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code runs as it stands there, in the contract's terms: states for every position, as wide as
    items."""
    (code,) = [block for block in blocks(DOCS / "extending.md", "python") if "class MeanPool" in block]
    (tmp_path / "mean_pool.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("mean_pool").MeanPool(
        EncoderConfig(dim=8), DataShape(num_items=5, max_length=4)
    )
    items, lengths = torch.tensor([[0, 1, 2], [3, 4, 0]]), torch.tensor([3, 2])
    history = made.item_vectors(items), torch.zeros_like(items), torch.zeros(2, 3), lengths
    assert made.hidden_states(*history).shape == (2, 3, 8)
    assert made.query_vectors(*history).shape == (2, 8)
