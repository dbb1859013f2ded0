"""Reads a `Config` from YAML and `--set key=value`, with errors that name the key and what could stand
there."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from configs.check_reader import check_reader
from configs.exceptions import ConfigError
from configs.schema import TARGET_EVENT_TYPES, Config


def load_config(*paths: Path, overrides: Sequence[str] = (), workspace: Path | None = None) -> Config:
    """Read `paths` (all defaults without one), apply `overrides` (`"training.seed=3"`), then `workspace`.

    Where two files give one setting, the later one's counts: a shop's file, then one of `configs/models/`.
    Raises ConfigError for a file that is missing or no YAML mapping, an unknown key, a value of the wrong
    type, or settings that contradict each other.
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
    """Refuse combinations that no single setting shows to be wrong."""
    data = config.data
    _check_training(config)
    check_reader(data)
    if (config.split.kind == "given") != (data.test_events is not None):
        raise ConfigError("split.kind=given and data.test_events go together: set both, or neither.")
    if data.clock == "ordinal" and config.split.kind == "window":
        raise ConfigError(
            "data.clock=ordinal has no days, but split.kind=window needs them: set split.kind=leave_one_out."
        )
    if data.shift_to_today and data.clock == "ordinal":
        raise ConfigError(
            "data.shift_to_today needs real times, but data.clock=ordinal has none: remove one of them."
        )
    hopeless = [kind for kind in config.history.targets if kind not in TARGET_EVENT_TYPES]
    if hopeless:
        raise ConfigError(
            f"history.targets has {', '.join(hopeless)}, which a recommendation cannot bring about: it can "
            "be "
            f"{', '.join(TARGET_EVENT_TYPES)}. (A refund or a removal from the cart takes its purchase or "
            "addition away by itself.)"
        )
    unread = [
        kind for kind in config.history.target_event_types if kind not in config.history.input_event_types
    ]
    if unread:
        raise ConfigError(
            f"history.targets has {', '.join(unread)}, which history.input_event_types lacks: the encoder "
            "would have to "
            "predict events it never sees. Add them to input_event_types."
        )
    if "home" not in config.surfaces:
        raise ConfigError(
            "surfaces has no 'home', which is the default surface and the one that is evaluated: add it."
        )
    if min(config.evaluation.cutoffs) < 1:
        raise ConfigError(
            f"evaluation.cutoffs={list(config.evaluation.cutoffs)}: a list has at least one place: remove "
            "what is below 1."
        )
    if config.tracking.enabled and config.tracking.port == config.serving.port:
        raise ConfigError(
            f"tracking.port and serving.port are both {config.serving.port}: set one of them to another "
            "port, such as "
            f"tracking.port={config.serving.port % 65535 + 1}."
        )
    if config.evaluation.headline_k not in config.evaluation.cutoffs:
        raise ConfigError(
            f"evaluation.headline_k={config.evaluation.headline_k} is not among evaluation.cutoffs="
            f"{list(config.evaluation.cutoffs)}: add it there."
        )


def _check_training(config: Config) -> None:
    """What the encoder and its training ask of each other."""
    encoder, training = config.encoder, config.training
    if encoder.dim % encoder.num_heads:
        raise ConfigError(
            f"encoder.dim={encoder.dim} cannot be divided among encoder.num_heads={encoder.num_heads}: "
            "set num_heads to a divisor of dim."
        )
    if training.batch_tokens < config.history.max_length:
        raise ConfigError(
            f"training.batch_tokens={training.batch_tokens} is less than "
            f"history.max_length={config.history.max_length}, "
            "so the longest history would not fit into a batch: raise batch_tokens or lower max_length."
        )
    if training.initial_vectors == "graph_filter" and (
        encoder.model != "weighted_pooling" or encoder.normalize
    ):
        raise ConfigError(
            "training.initial_vectors=graph_filter is for encoder.model=weighted_pooling without "
            "encoder.normalize."
        )
    if not training.max_epochs and training.initial_vectors == "random":
        raise ConfigError(
            "training.max_epochs=0 keeps the initial vectors, and random ones know nothing: set one of them."
        )


def dump_config(config: Config) -> str:
    """The whole config as YAML, defaults included, so that a run's file needs nothing else to be repeated."""
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
    """Setting by setting within a section; a setting that is itself a mapping is replaced whole."""
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
        ):  # YAML would have these quoted, and a shell eats the quotes
            section[leaf] = text.strip()
            return
        raise ConfigError(f"--set {override!r}: the value is not valid YAML: {error}") from None


def _explain(error: ValidationError, *, where: str) -> str:
    lines = [f"{where}: {error.error_count()} setting(s) are wrong:"]
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        key = ".".join(part for part in location if part != "[key]")
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: no such setting. {_suggest(location)}")
        else:
            lines.append(f"  {key}: {problem['msg']} (found {problem['input']!r})")
    return "\n".join(lines)


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
