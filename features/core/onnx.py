"""Runs exported graphs with ONNX Runtime."""

from __future__ import annotations

from configs.telemetry import disable_telemetry

disable_telemetry()
import onnxruntime  # noqa: E402  # it reads the environment now


def onnx_session(graph: bytes) -> onnxruntime.InferenceSession:
    """Load a graph for single small requests: one thread, since replicas already use the other cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
