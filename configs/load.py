"""Reads a `Config` from YAML and `--set key=value`, with errors that name the setting and the valid ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.check_reader import check_reader
from configs.exceptions import ConfigError
from configs.renamed import explain_old_setting, explain_old_value
from configs.schema import Config
from configs.settings.encoder import MODELS_OF_SETS
from configs.settings.event_types import TARGET_EVENT_TYPES
from configs.settings.outcomes import outcome_of


def load_config(*paths: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> Config:
    """Read `paths` (none: all defaults), apply `overrides` (`"training.seed=3"`), then `workspace`.

    When two files have the same setting, the later one counts: a shop's file, then one of `configs/models/`.
    Raises ConfigError for a file that is missing or not a YAML mapping, an unknown setting, a value of the
    wrong type, or settings that contradict each other.
    """
    settings: dict[str, Any] = {}
    for path in paths:
        _add(settings, _read_yaml(path))
    for override in overrides:
        _apply(settings, override)
    if workspace is not None:
        settings["workspace"] = str(workspace)
    try:
        config = Config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(
            _explain(error, where=" and ".join([*map(str, paths), *(["--set"] if overrides else [])]))
        ) from None
    check(config)
    return config


def check(config: Config) -> None:
    """Raise ConfigError for settings that contradict each other."""
    data = config.data
    _check_training(config)
    _check_targets(config)
    _check_evaluation(config)
    check_reader(data)
    if (config.split.kind == "given") != (data.test_events is not None):
        raise ConfigError("split.kind=given and data.test_events go together: set both, or neither.")
    if data.clock == "ordinal" and config.split.kind in ("window", "session"):
        raise ConfigError(
            f"data.clock=ordinal has no days, but split.kind={config.split.kind} needs them: set "
            "split.kind=leave_one_out."
        )
    if data.clock == "ordinal" and (data.shift_to_today or data.until):
        name = "shift_to_today" if data.shift_to_today else "until"
        raise ConfigError(
            f"data.{name} needs real times, but data.clock=ordinal has none: remove one of them."
        )
    if "home" not in config.surfaces:
        raise ConfigError(
            "surfaces has no 'home', the default surface and the one that is evaluated: add it."
        )
    _check_outcomes(config)
    _check_orders(config)
    if config.tracking.enabled and config.tracking.port == config.serving.port:
        raise ConfigError(
            f"tracking.port and serving.port are both {config.serving.port}: set one of them to another "
            f"port, such as tracking.port={config.serving.port % 65535 + 1}."
        )


def _check_targets(config: Config) -> None:
    """The events to recommend for are possible targets, and the encoder reads them."""
    history = config.history
    impossible = [name for name in history.targets if name not in TARGET_EVENT_TYPES]
    if impossible:
        raise ConfigError(
            f"history.targets has {', '.join(impossible)}, which a recommendation cannot bring about: use "
            f"{', '.join(TARGET_EVENT_TYPES)}. (Refunds and removals from the cart undo their purchases and "
            "additions without a setting.)"
        )
    unread = [name for name in history.target_event_types if name not in history.input_event_types]
    if unread:
        raise ConfigError(
            f"history.targets has {', '.join(unread)}, which history.input_event_types lacks: the encoder "
            "would have to predict events that it never reads. Add them to input_event_types."
        )


def _check_outcomes(config: Config) -> None:
    """The ranker learns every outcome that a surface weighs."""
    if config.ranker.outcomes is None:
        return
    for place, surface in config.surfaces.items():
        for name in surface.weights:
            if outcome_of(name) not in config.ranker.outcomes:
                raise ConfigError(
                    f"surfaces.{place}.weights has {name}, and ranker.outcomes lacks {outcome_of(name)}: "
                    "add it there, or leave ranker.outcomes out."
                )


def _check_orders(config: Config) -> None:
    """Only a retriever that orders a list has first places."""
    for place, surface in config.surfaces.items():
        if surface.first_places is not None and surface.order_by != "retriever":
            raise ConfigError(
                f"surfaces.{place}.first_places is {surface.first_places}, and its order_by is "
                f"{surface.order_by}: set order_by: retriever, or leave first_places out."
            )


def _check_evaluation(config: Config) -> None:
    """List lengths are positive, and the headline's is among them."""
    if min(config.evaluation.cutoffs) < 1:
        raise ConfigError(
            f"evaluation.cutoffs={list(config.evaluation.cutoffs)}: a list has at least one item: remove "
            "values below 1."
        )
    if config.evaluation.headline_k not in config.evaluation.cutoffs:
        raise ConfigError(
            f"evaluation.headline_k={config.evaluation.headline_k} is not among "
            f"evaluation.cutoffs={list(config.evaluation.cutoffs)}: add it there."
        )


def _check_training(config: Config) -> None:
    """Settings of the encoder and its training that must fit together."""
    encoder, training = config.encoder, config.training
    if encoder.dim % encoder.num_heads:
        raise ConfigError(
            f"encoder.dim={encoder.dim} is not divisible by encoder.num_heads={encoder.num_heads}: set "
            "num_heads to a divisor of dim."
        )
    if training.batch_tokens < config.history.max_length:
        raise ConfigError(
            f"training.batch_tokens={training.batch_tokens} is less than "
            f"history.max_length={config.history.max_length}, so the longest history would not fit into a "
            "batch: raise batch_tokens or lower max_length."
        )
    if config.history.order == "set" and encoder.model not in MODELS_OF_SETS:
        raise ConfigError(
            f"history.order=set has no order, ages and user features, of which encoder.model={encoder.model} "
            f"reads some: set encoder.model={' or '.join(MODELS_OF_SETS)}, or history.order=sequence."
        )
    if training.initial_vectors == "graph_filter" and (
        encoder.model != "weighted_pooling" or encoder.normalize
    ):
        raise ConfigError(
            "training.initial_vectors=graph_filter needs encoder.model=weighted_pooling and "
            "encoder.normalize=false."
        )
    if not training.max_epochs and training.initial_vectors == "random":
        raise ConfigError(
            "training.max_epochs=0 keeps the initial vectors, and training.initial_vectors=random has "
            "learned nothing: change one of them."
        )


def dump_config(config: Config) -> str:
    """The complete config as YAML with all defaults, so that the file alone can repeat a run."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file. The project's own configurations are in configs/*.yaml, those of models "
            "in configs/models."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(settings).__name__}.")
    return settings


def _add(settings: dict[str, Any], later: Mapping[str, Any]) -> None:
    """Add the settings of a later file, section by section. A setting that is a mapping is replaced."""
    for section, value in later.items():
        known = settings.get(section)
        settings[section] = (
            {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        )


def _apply(settings: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r}: expected key=value, such as --set training.seed=3.")
    *parents, leaf = key.strip().split(".")
    section = settings
    for parent in parents:
        child = section.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {parent!r} is a value, not a group of settings.")
        section = child
    try:
        section[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if text.strip()[:1] in (
            ",",
            "%",
            "@",
            "`",
        ):  # YAML wants them quoted, but the shell removes the quotes
            section[leaf] = text.strip()
            return
        raise ConfigError(f"--set {override!r}: the value is not valid YAML: {error}") from None


def _explain(error: ValidationError, *, where: str) -> str:
    problems = [line for problem in error.errors() for line in _explain_one(problem)]
    return "\n".join([f"{where}: {len(problems)} setting(s) are wrong:", *(f"  {line}" for line in problems)])


def _explain_one(problem: ErrorDetails) -> list[str]:
    location = [str(part) for part in problem["loc"] if part != "[key]"]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        renamed = explain_old_setting(location, problem["input"])
        return renamed or [f"{key}: no such setting. {_suggest(location)}"]
    renamed_value = explain_old_value(location, problem["input"])
    if renamed_value:
        return [f"{key}: {renamed_value}"]
    found = re.sub(r"(://[^@/]*:)[^@/]+@", r"\1…@", repr(problem["input"]))  # no password of a URL
    return [f"{key}: {problem['msg']} (found {found})"]


def _suggest(location: Sequence[str]) -> str:
    known = sorted(_fields_at(Config, location[:-1]))
    close = difflib.get_close_matches(location[-1], known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}It could be: {', '.join(known)}."


def _fields_at(model: type[BaseModel], location: Sequence[str]) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = model.model_fields
    if not location:
        return fields
    annotation = fields[location[0]].annotation if location[0] in fields else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _fields_at(annotation, location[1:])
    inner = [
        arg
        for arg in getattr(annotation, "__args__", ())
        if isinstance(arg, type) and issubclass(arg, BaseModel)
    ]
    return _fields_at(inner[0], location[2:]) if inner else {}
