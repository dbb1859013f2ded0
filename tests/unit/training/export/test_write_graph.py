"""A trace is kept for modules that look the same, and never for one that computes something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import training.export.write_graph
from configs.settings.encoder import EncoderConfig
from models.data_shape import DataShape
from models.factory import build_encoder
from training.export.onnx_graphs import export_encoder
from training.export.write_graph import write_graph


class Scaled(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(3, 2), scale

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = self.linear(rows) * self.scale
        return found


@pytest.fixture
def num_traces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every trace."""
    traces: list[int] = []
    trace = training.export.write_graph._trace

    def counted(*arguments: object, **options: object) -> object:
        traces.append(1)
        return trace(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(training.export.write_graph, "_traced", {})
    monkeypatch.setattr(training.export.write_graph, "_trace", counted)
    return traces


def test_other_weights_go_into_the_same_trace(num_traces: list[int], tmp_path: Path) -> None:
    rows = torch.randn(5, 3)
    dimension = torch.export.Dim("rows", min=1, max=99)
    for seed in range(3):
        torch.manual_seed(seed)
        model = Scaled(2.0).eval()
        written = write_graph(
            model, (rows[:2],), tmp_path / "g.onnx", names=["rows"], output="out", dynamic=({0: dimension},)
        )
        assert written == (seed > 0)
        session = onnxruntime.InferenceSession(str(tmp_path / "g.onnx"), providers=["CPUExecutionProvider"])
        found = session.run(["out"], {"rows": rows.numpy()})[0]
        np.testing.assert_allclose(found, model(rows).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert len(num_traces) == 1


class Shifted(nn.Module):
    shift: Tensor

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([shift]), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        found: Tensor = rows + self.shift
        return found


def test_a_buffer_that_no_state_dict_has_is_part_of_the_trace(num_traces: list[int], tmp_path: Path) -> None:
    rows = torch.zeros(2, 3)
    for shift in (1.0, 5.0):
        write_graph(
            Shifted(shift).eval(),
            (rows,),
            tmp_path / "g.onnx",
            names=["rows"],
            output="out",
            dynamic=({0: torch.export.Dim("rows", min=1, max=99)},),
        )
        session = onnxruntime.InferenceSession(str(tmp_path / "g.onnx"), providers=["CPUExecutionProvider"])
        assert (session.run(["out"], {"rows": rows.numpy()})[0] == shift).all()
    assert len(num_traces) == 2


def test_a_model_of_other_settings_is_traced_anew(num_traces: list[int], tmp_path: Path) -> None:
    """The temperature of two towers is no weight, and gives another graph for weights of the same shapes."""
    shape = DataShape(num_items=5, max_length=6, num_user_numbers=2, user_code_sizes=(3,))
    for normalize in (False, True):
        torch.manual_seed(0)
        model = build_encoder(EncoderConfig(model="two_tower", dim=4, normalize=normalize), shape).eval()
        found = export_encoder(model, tmp_path / "user_encoder.onnx", max_length=6, max_difference=1e-4)
        assert found <= 1e-4
    assert len(num_traces) == 2
