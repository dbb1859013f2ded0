"""Finds the classes of a package that has one class a module: adding one is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import TypeVar

from configs.exceptions import ConfigError

T = TypeVar("T")


def module_names(package: str, path: Iterable[str]) -> tuple[str, ...]:
    """The modules of a package, by name, without importing them; `path` is its `__path__`."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(path) if not module.ispkg))


def class_in(package: str, name: str, *, base: type[T]) -> type[T]:
    """The one subclass of `base` that `<package>.<name>` defines. Raises ConfigError where there is no such
    module."""
    if not name.isidentifier():
        raise ConfigError(f"{package} has no {name!r}.")
    try:
        module = importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{name}":
            raise
        raise ConfigError(f"{package} has no {name!r}.") from None
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise AssertionError(f"{module.__name__} defines {len(found)} subclasses of {base.__name__}, not one")
    return found[0]
