"""Errors in a configuration: what is wrong, where it is, and which settings and values are valid."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from configs.exceptions import ConfigError, ShopkeeperError
from configs.load import dump_config, load_config
from configs.schema import Config


def written(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_has_its_default() -> None:
    assert load_config() == Config()


def test_a_file_then_set_then_the_workspace(tmp_path: Path) -> None:
    path = written(tmp_path, "name: roses\nworkspace: here\ntraining: {seed: 3, max_epochs: 7}\n")
    config = load_config(path, overrides=["training.seed=4", "encoder.dim=32"], workspace=tmp_path)
    assert (config.name, config.training.seed, config.training.max_epochs, config.encoder.dim) == (
        "roses",
        4,
        7,
        32,
    )
    assert config.workspace == tmp_path


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "# nothing yet\n")) == Config()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.learning_rat=1",
            r"training\.learning_rat: no such setting\. Did you mean 'learning_rate'\? It could be: batch",
        ),
        ("trainin.seed=1", r"trainin: no such setting\. Did you mean 'training'\?"),
        ("zzz=1", r"zzz: no such setting\. It could be: .*encoder.*workspace"),
        ("surfaces.home.order=page", r"surfaces\.home\.order: no such setting\. Did you mean 'order_by'\?"),
    ],
)
def test_a_typo_is_named_with_what_could_stand_there(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.seed=many", r"training\.seed: .*integer.*\(found 'many'\)"),
        ("encoder.dim=2", r"encoder\.dim: .*greater than or equal to 4 \(found 2\)"),
        ("encoder.model=gpt", r"encoder\.model: .*'sasrec'.*\(found 'gpt'\)"),
        ("history.targets={buy: 1}", r"history\.targets\.buy: .*'purchase'.*\(found 'buy'\)"),
        ("history.targets={}", r"history\.targets: .*at least 1"),
        ("history.targets={purchase: 0}", r"history\.targets\.purchase: .*greater than 0 \(found 0\)"),
        ("history.targets={purchase: .inf}", r"history\.targets\.purchase: .*finite number \(found inf\)"),
        ("history.targets={purchase: .nan}", r"history\.targets\.purchase: .*\(found nan\)"),
        (
            "history.target_event_types=[purchase]",
            r"history\.target_event_types: no such setting\. .*It could be: .*targets",
        ),
        ("training.max_minutes=0", r"training\.max_minutes: .*greater than 0"),
        ("prepare.currency=euro", r"prepare\.currency: .*\(found 'euro'\)"),
        ("name=../x", r"name: .*\(found '\.\./x'\)"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "nam: x\ntraining: {seed: a}\n")
    with pytest.raises(ConfigError, match=r"shop\.yaml: 2 setting\(s\) are wrong") as error:
        load_config(path)
    assert "training.seed" in str(error.value)
    assert "Did you mean 'name'?" in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["encoder.dim=10", "encoder.num_heads=4"],
            r"encoder\.dim=10 is not divisible by encoder\.num_heads=4",
        ),
        (["training.batch_tokens=100"], r"training\.batch_tokens=100 is less than history\.max_length=200"),
        (["history.order=set"], r"history\.order=set .*encoder\.model=sasrec.*=weighted_pooling, or"),
        (
            ["data.reader=complete_journey", "data.items=x.csv"],
            r"complete_journey brings its own files: remove data\.items",
        ),
        (["data.clock=ordinal"], r"clock=ordinal has no days.*set split\.kind=leave_one_out"),
        (
            ["data.clock=ordinal", "split.kind=leave_one_out", "data.shift_to_today=true"],
            r"data\.shift_to_today needs real times",
        ),
        (
            ["history.targets={purchase: 1, review: 1}"],
            r"history\.targets has review, which history\.input_event_types lacks",
        ),
        (
            ["history.targets={purchase: 1, refund: 1}"],
            r"history\.targets has refund, .* cannot bring about: use .*purchase",
        ),
        (["history.targets={search: 1}"], r"history\.targets has search, .* cannot bring about"),
        (["surfaces={start: {}}"], r"surfaces has no 'home'"),
        (["surfaces.home.first_places=3"], r"surfaces\.home\.first_places is 3, and its order_by is ranker"),
        (["evaluation.cutoffs=[0, 20]"], r"evaluation\.cutoffs=\[0, 20\]: a list has at least one item"),
        (["serving.port=5000"], r"tracking\.port and serving\.port are both 5000.*tracking\.port=5001"),
        (
            ["evaluation.headline_k=7"],
            r"evaluation\.headline_k=7 is not among evaluation\.cutoffs=\[5, 10, 20, 100\]",
        ),
    ],
)
def test_settings_that_contradict_each_other(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        (["training.learning_rate=1e-3"], lambda config: config.training.learning_rate == 0.001),
        (["training.learning_rate= 0.5"], lambda config: config.training.learning_rate == 0.5),
        (
            ["tracking.enabled=false", "serving.port=5000"],
            lambda config: config.serving.port == config.tracking.port,
        ),
        (["tracking.enabled=false"], lambda config: config.tracking.enabled is False),
        (["training.max_minutes=null"], lambda config: config.training.max_minutes is None),
        (["evaluation.cutoffs=[5, 20]"], lambda config: config.evaluation.cutoffs == (5, 20)),
        (
            ["data.event_columns.user_id=customer"],
            lambda config: config.data.event_columns == {"user_id": "customer"},
        ),
        (
            ["data.event_columns={item_id: sku, price: unit=price}"],
            lambda config: config.data.event_columns["price"] == "unit=price",
        ),
        (["tracking.uri=http://host:1/?a=b"], lambda config: config.tracking.uri == "http://host:1/?a=b"),
        (["data.events=logs/*.csv"], lambda config: config.data.events == Path("logs/*.csv")),
        (["training.seed=1", "training.seed=2"], lambda config: config.training.seed == 2),
    ],
)
def test_set_reads_values_as_yaml_does_and_numbers_as_people_write_them(
    overrides: list[str], read: object
) -> None:
    assert callable(read)
    assert read(load_config(overrides=overrides))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.seed", r"'training\.seed': expected key=value"),
        ("=3", r"expected key=value"),
        ("training.seed=[1", r"the value is not valid YAML"),
        ("training.seed.x=3", r"'seed' is a value, not a group of settings"),
    ],
)
def test_a_set_that_cannot_be_read(tmp_path: Path, override: str, message: str) -> None:
    path = written(tmp_path, "training: {seed: 1}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path, overrides=[override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", r"shop\.yaml: not valid YAML"),
        (b"- a\n- b\n", r"shop\.yaml: expected `key: value` lines, found list"),
        (b"\xff\xfe\x00", r"shop\.yaml: cannot be read as UTF-8 text"),
        (b"training:\n", r"training: .*\(found None\)"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"absent\.yaml: no such file\. The project's own configurations are in configs/\*\.yaml",
    ):
        load_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_what_is_dumped_loads_to_the_same(tmp_path: Path) -> None:
    overrides = [
        "training.learning_rate=1e-5",
        "data.event_columns.user_id=Käufer",
        "data.events=a.csv",
        "surfaces.home.retrievers=[popularity]",
        "surfaces.home.order_by=page",
    ]
    config = load_config(overrides=overrides)
    path = written(tmp_path, dump_config(config))
    assert load_config(path) == config
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) == set(Config.model_fields)


def test_a_config_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_config().training.seed = 3  # type: ignore[misc]


def test_every_error_of_a_user_is_one_kind() -> None:
    assert issubclass(ConfigError, ShopkeeperError)


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [field.annotation for field in model.model_fields.values()]
    return [
        model,
        *(
            one
            for annotation in inner
            if isinstance(annotation, type) and issubclass(annotation, BaseModel)
            for one in sections(annotation)
        ),
    ]


def test_every_setting_says_what_it_is_for() -> None:
    silent = {
        f"{section.__name__}.{name}"
        for section in sections(Config)
        for name, field in section.model_fields.items()
        if not field.description and field.annotation not in sections(Config)
    }
    assert silent <= {"Config.surfaces"}


def test_a_later_file_changes_its_settings_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "name: one\nencoder: {dim: 32, dropout: 0.5}\nhistory: {targets: {purchase: 1, view_item: 0.1}}\n",
        encoding="utf-8",
    )
    (tmp_path / "model.yaml").write_text(
        "encoder: {model: hstu, dim: 16}\nhistory: {targets: {purchase: 2}}\n", encoding="utf-8"
    )
    config = load_config(tmp_path / "shop.yaml", tmp_path / "model.yaml")
    assert (config.name, config.encoder.model, config.encoder.dim, config.encoder.dropout) == (
        "one",
        "hstu",
        16,
        0.5,
    )
    assert config.history.targets == {"purchase": 2}
    assert load_config(tmp_path / "model.yaml", tmp_path / "shop.yaml").encoder.dim == 32
