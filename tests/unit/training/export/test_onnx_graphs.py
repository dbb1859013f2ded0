"""The gates of the export. A faulty exporter is played by a graph made by hand; graph and model are compared
for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import training.export.onnx_graphs
from configs.exceptions import GateError
from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.encoder import Encoder
from models.factory import build_encoder
from models.ranker import RankerNetwork
from training.export.onnx_graphs import export_encoder, export_ranker

NUM_FEATURES = 3


@pytest.fixture
def ranker() -> RankerNetwork:
    torch.manual_seed(0)
    network = RankerNetwork(num_features=NUM_FEATURES, hidden_dim=0)
    torch.nn.init.normal_(network.linear.weight)
    network.fit_scale(torch.randn(20, NUM_FEATURES) * 5 + 2)
    return network


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return build_encoder(EncoderConfig(dim=4, num_layers=1), DataShape(num_items=5, max_length=6)).eval()


def exporter_that_writes(model: onnx.ModelProto) -> Any:
    def export(module: object, example: object, path: Path, **_: object) -> None:
        onnx.save(model, path)

    return export


def graph(
    inputs: dict[str, list[str | int]], node: onnx.NodeProto, output: str, constants: dict[str, Any]
) -> onnx.ModelProto:
    made = helper.make_graph(
        [node],
        "by_hand",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_the_ranker_goes_through_with_its_scale_for_any_number_of_candidates(
    ranker: RankerNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "ranker.onnx"
    assert export_ranker(ranker, path, max_difference=1e-4) <= 1e-4
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (1, 13, 1000):
        features = np.random.default_rng(count).normal(2, 5, (count, NUM_FEATURES)).astype(np.float32)
        found = session.run(["scores"], {"features": features})[0]
        np.testing.assert_allclose(
            found, ranker(torch.from_numpy(features)).detach().numpy(), rtol=1e-4, atol=1e-5
        )


def test_a_graph_with_other_numbers_is_refused_and_leaves_no_file(
    ranker: RankerNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"weights": np.ones(NUM_FEATURES, np.float32)}
    wrong = graph(
        {"features": ["candidates", NUM_FEATURES]},
        helper.make_node("MatMul", ["features", "weights"], ["scores"]),
        "scores",
        weights,
    )
    monkeypatch.setattr(training.export.onnx_graphs, "write_graph", exporter_that_writes(wrong))
    with pytest.raises(
        GateError, match=r"ranker\.onnx: it differs from torch by .* \(at most 0\.0001\)\. The bundle was not"
    ):
        export_ranker(ranker, tmp_path / "ranker.onnx", max_difference=1e-4)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_nan_is_refused(
    ranker: RankerNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"weights": np.full(NUM_FEATURES, np.nan, np.float32)}
    wrong = graph(
        {"features": ["candidates", NUM_FEATURES]},
        helper.make_node("MatMul", ["features", "weights"], ["scores"]),
        "scores",
        weights,
    )
    monkeypatch.setattr(training.export.onnx_graphs, "write_graph", exporter_that_writes(wrong))
    with pytest.raises(GateError, match="differs from torch by nan"):
        export_ranker(ranker, tmp_path / "ranker.onnx", max_difference=1e-4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "frozen"),
    [(["batch", 3, 4], r"history_vectors\[1\]=3"), ([2, "length", 4], r"history_vectors\[0\]=2")],
)
def test_a_graph_with_a_frozen_size_is_refused_and_leaves_no_file(
    encoder: Encoder, shape: list[str | int], frozen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean = helper.make_node("ReduceMean", ["history_vectors", "axis"], ["query_vectors"], keepdims=0)
    wrong = graph({"history_vectors": shape}, mean, "query_vectors", {"axis": np.array([1], np.int64)})
    monkeypatch.setattr(training.export.onnx_graphs, "write_graph", exporter_that_writes(wrong))
    with pytest.raises(
        GateError, match=rf"user_encoder\.onnx: sizes are frozen: {frozen}\. The bundle was not written"
    ):
        export_encoder(encoder, tmp_path / "user_encoder.onnx", max_length=6, max_difference=1e-4)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_is_right_for_one_length_alone_is_refused(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean over positions is what no attention model computes; its sizes are symbolic, so only the
    comparison finds it."""
    mean = helper.make_node("ReduceMean", ["history_vectors", "axis"], ["query_vectors"], keepdims=0)
    wrong = graph(
        {"history_vectors": ["batch", "length", 4]}, mean, "query_vectors", {"axis": np.array([1], np.int64)}
    )
    monkeypatch.setattr(training.export.onnx_graphs, "write_graph", exporter_that_writes(wrong))
    with pytest.raises(GateError, match=r"differs from torch"):
        export_encoder(encoder, tmp_path / "user_encoder.onnx", max_length=6, max_difference=1e-4)
    assert list(tmp_path.iterdir()) == []
