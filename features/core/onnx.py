"""Runs exported graphs with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Set

from configs.telemetry import disable_telemetry

disable_telemetry()
import onnxruntime  # noqa: E402  # it reads the environment now


def onnx_session(graph: bytes, *, inputs: Set[str], output: str) -> onnxruntime.InferenceSession:
    """Load a graph for single small requests: one thread, since replicas already use the other cores.

    Raises ValueError for a graph that needs other `inputs` than these, or lacks the output.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    odd = {value.name for value in session.get_inputs()} - inputs
    if odd or output not in {value.name for value in session.get_outputs()}:
        raise ValueError(
            f"a graph from {', '.join(sorted(inputs))} to {output} is needed"
            + (f", and it reads {', '.join(sorted(odd))}" if odd else "")
        )
    return session


def input_width(session: onnxruntime.InferenceSession, name: str) -> int | None:
    """The length of the last axis of an input; None where the graph takes any."""
    (shape,) = (value.shape for value in session.get_inputs() if value.name == name)
    return shape[-1] if shape and isinstance(shape[-1], int) else None
