"""Every file of a bundle, damaged in every way, is one error with its name: no stack trace, no dead process.

The manifest's sha256 is made anew each time: what is tested is the reading itself.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl
import pytest
from hand_made_bundle import NUM_ITEMS, write_bundle
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy import sparse

from configs.exceptions import ArtefactError
from features.core.artefact import write_manifest
from features.histories import History
from serving.recommend.bundle import Bundle
from serving.recommend.item_encoder import ItemEncoder
from serving.recommend.pipeline import Pipeline
from serving.recommend.request import Query

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-8],
    "random": lambda content: np.random.default_rng(len(content)).bytes(len(content)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with every file that there can be. Read only."""
    folder = tmp_path_factory.mktemp("bundles")
    codes = helper.make_tensor_value_info("codes", TensorProto.INT64, ["items", 3])
    vectors = helper.make_tensor_value_info("item_vectors", TensorProto.FLOAT, ["items", 3])
    cast = helper.make_node("Cast", ["codes"], ["item_vectors"], to=TensorProto.FLOAT)
    graph = helper.make_graph([cast], "items", [codes], [vectors])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    bundle = replace(
        Bundle.open(write_bundle(folder / "hand-made")),
        users=pl.DataFrame({"user_id": ["ann"], "country": [1]}),
        item_encoder=ItemEncoder(model.SerializeToString(), pl.DataFrame({"value": ["Acme"], "code": [1]})),
    )
    bundle.save(folder / "whole", made_from="test")
    return folder / "whole"


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "bundle")


def sign(folder: Path) -> None:
    """Make the manifest's sums those of the files."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kept = {
        name: value
        for name, value in manifest.items()
        if name not in ("kind", "schema_version", "fingerprint", "made_from", "files")
    }
    write_manifest(folder, kind="bundle", made_from="test", contents=kept)


def files(folder: Path) -> list[str]:
    found = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [name for name in found if name != "manifest.json"]


def refused(folder: Path, name: str) -> None:
    """By an error that names the file and the command to run."""
    with pytest.raises(ArtefactError) as caught:
        Bundle.open(folder)
    assert name in str(caught.value)
    assert "shopkeeper export" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_by_name(bundle: Path, damage: str) -> None:
    for name in files(bundle):
        content = (bundle / name).read_bytes()
        (bundle / name).write_bytes(DAMAGES[damage](content))
        sign(bundle)
        refused(bundle, name)
        (bundle / name).write_bytes(content)
    sign(bundle)
    Bundle.open(bundle)


def test_a_file_with_the_content_of_another_is_refused_or_answers(bundle: Path) -> None:
    """Each with two others. It answers where both are of one kind: the vectors of another day, say."""
    contents = {name: (bundle / name).read_bytes() for name in files(bundle)}
    history = replace(History.empty(), **taken(History.empty()))
    names, num_refused = list(contents), 0
    for place, name in enumerate(names):
        for other in (names[place - 1], names[place - 8]):
            (bundle / name).write_bytes(contents[other])
            sign(bundle)
            pipeline = opened(bundle, name)
            num_refused += pipeline is None
            if pipeline is not None:
                for of in (history, History.empty()):
                    assert pipeline.recommend(Query(of, pipeline.bundle.as_of + 1)).recommendations
        (bundle / name).write_bytes(contents[name])
    assert num_refused > 1.4 * len(names)


def opened(folder: Path, name: str) -> Pipeline | None:
    """None where it is refused, by an error that names the file, or the one beside it that does not fit."""
    try:
        return Pipeline.load(folder)
    except ArtefactError as error:
        message = str(error)
    assert (name.rpartition("/")[0] or name) in message, message
    assert "xport" in message, message
    return None


def taken(empty: History) -> dict[str, Any]:
    """Two purchases."""
    values: dict[str, Any] = {name: np.zeros(2, value.dtype) for name, value in vars(empty).items()}
    return values | {"items": np.array([3, 12], np.int32), "times": np.array([1, 2], np.int64)}


WRONG_ARRAYS: dict[str, tuple[str, NDArray[Any]]] = {
    "too short": ("item_profiles/popularity.npy", np.zeros(NUM_ITEMS - 1, np.float32)),
    "two axes": ("item_profiles/price.npy", np.zeros((NUM_ITEMS, 2), np.float32)),
    "text": ("retrievers/repurchase/rate.npy", np.array(["a"] * NUM_ITEMS)),
    "no number of items": ("can_be_shown.npy", np.ones((NUM_ITEMS, 1), bool)),
    "numbers for yes and no": ("can_be_shown.npy", np.ones(NUM_ITEMS, np.float32)),
    "an item that is not there": (
        "retrievers/co_occurrence/items.npy",
        np.full((NUM_ITEMS, 3), NUM_ITEMS, np.int32),
    ),
    "an item far below": ("retrievers/popularity/ranked.npy", np.array([-9], np.int32)),
    "another width": ("retrievers/encoder/item_vectors.npy", np.zeros((NUM_ITEMS, 5), np.float32)),
    "a fraction": ("retrievers/encoder/limit.npy", np.array(0.5)),
    "nothing to search": ("retrievers/encoder/limit.npy", np.array(0)),
    "more neighbours than scores": (
        "retrievers/next_basket/scores.npy",
        np.zeros((NUM_ITEMS, 2), np.float32),
    ),
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
def test_an_array_of_another_shape_is_refused(bundle: Path, wrong: str) -> None:
    name, array = WRONG_ARRAYS[wrong]
    np.save(bundle / name, array)
    sign(bundle)
    with pytest.raises(ArtefactError, match=r"(items\.faiss|" + re.escape(name) + r").*shopkeeper export"):
        Bundle.open(bundle)


def test_a_sparse_matrix_that_points_outside_itself_is_refused(bundle: Path) -> None:
    """SciPy multiplies it, and reads memory that is not its own."""
    name = "retrievers/user_knn/recent.npz"
    matrix = sparse.csr_array((np.ones(0, np.float32), ([], [])), shape=(0, NUM_ITEMS))
    matrix.indptr = np.array([7], matrix.indptr.dtype)
    sparse.save_npz(bundle / name, matrix, compressed=False)
    sign(bundle)
    refused(bundle, name)


def test_an_index_of_other_vectors_is_refused(bundle: Path) -> None:
    for width, count in ((5, NUM_ITEMS), (4, NUM_ITEMS + 1)):
        index = faiss.IndexFlatIP(width)
        index.add(np.zeros((count, width), np.float32))
        faiss.write_index(index, str(bundle / "retrievers/encoder/items.faiss"))
        sign(bundle)
        refused(bundle, "retrievers/encoder/items.faiss")


def edit(folder: Path, **entries: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | entries), encoding="utf-8")


def test_a_manifest_without_files_is_refused(bundle: Path) -> None:
    edit(bundle, files={})
    refused(bundle, "manifest.json: its fingerprint")
    shutil.rmtree(bundle / "retrievers")
    sign(bundle)
    refused(bundle, "retrievers")


def test_files_that_the_manifest_does_not_name_are_refused(bundle: Path) -> None:
    (bundle / ".DS_Store").write_bytes(b"")
    Bundle.open(bundle)
    (bundle / "retrievers" / "user_knn" / "idf.npz").write_bytes(b"")
    refused(bundle, "idf.npz: is not in the bundle's manifest.json")


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "retrievers/../../x", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(bundle: Path, name: str) -> None:
    (bundle.parent / "x").write_bytes(b"x")
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    edit(bundle, files=manifest["files"] | {name: "0"})
    with pytest.raises(ArtefactError, match=r"manifest\.json: names the file .* outside the folder.*export"):
        Bundle.open(bundle)


def test_a_link_that_leaves_the_folder_is_refused(bundle: Path) -> None:
    outside = (bundle / "can_be_shown.npy").rename(bundle.parent / "outside.npy")
    (bundle / "can_be_shown.npy").symlink_to(outside)
    with pytest.raises(ArtefactError, match=r"names the file 'can_be_shown\.npy', outside the folder"):
        Bundle.open(bundle)
    (bundle / "can_be_shown.npy").unlink()
    (bundle / "can_be_shown.npy").symlink_to("can_be_shown.npy")
    with pytest.raises(ArtefactError, match=r"can_be_shown\.npy"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    "entries",
    [
        {"fingerprint": "0123456789abcdef"},
        {"retrievers": "popularity"},
        {"retrievers": ["../popularity"]},
        {"retrievers": ["popularity"]},
        {"retrievers": [["popularity"]]},
        {"features": [{}]},
        {"features": None},
        {"as_of": "yesterday"},
        {"num_items": [30]},
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_is_refused(bundle: Path, entries: dict[str, object]) -> None:
    edit(bundle, **entries)
    refused(bundle, "manifest.json")


def test_a_manifest_nested_without_end_is_refused(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("[" * 200_000)
    refused(bundle, "manifest.json: cannot be read")
