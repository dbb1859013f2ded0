"""Writes a torch module as an ONNX graph.

Tracing a module takes seconds, and the graph is the same whatever the weights are: the last trace of each
kind of module is kept, and gets the weights of the next that looks the same.
"""

from __future__ import annotations

import logging
import warnings
from hashlib import sha256
from pathlib import Path

import onnx
import torch
from onnx.numpy_helper import from_array
from onnxscript import ir
from torch import Tensor, nn

_Looks = tuple[object, ...]
"""What a trace depends on besides the weights, as far as it can be seen"""

_traced: dict[type[nn.Module], tuple[_Looks, onnx.ModelProto]] = {}


def write_graph(
    model: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: list[str],
    output: str,
    dynamic: tuple[object, ...],
    trace_anew: bool = False,
) -> bool:
    """Write the graph of a module; returns whether it is an earlier trace with these weights.

    Two modules that look the same may still compute differently, such as with another temperature: only a
    comparison with the module shows it, and `trace_anew` is the remedy.
    """
    weights = model.state_dict()
    tensors = [(name, value.shape, value.dtype) for name, value in weights.items()]
    constants = [  # buffers that no state dict has: the trace holds their values
        (name, sha256(value.detach().cpu().numpy().tobytes()).digest())
        for name, value in model.named_buffers()
        if name not in weights
    ]
    inputs = [(value.shape, value.dtype) for value in example]
    looks = (tuple(names), output, repr(dynamic), *tensors, *constants, *inputs)
    seen, graph = _traced.get(type(model), (None, None))
    is_kept = graph is not None and seen == looks and not trace_anew
    if graph is None or not is_kept:
        graph = _trace(model, example, names=names, output=output, dynamic=dynamic)
        _traced[type(model)] = (looks, graph)
    for value in graph.graph.initializer:
        if value.name in weights:
            value.CopyFrom(from_array(weights[value.name].detach().cpu().numpy(), value.name))
    program = torch.onnx.ONNXProgram(ir.serde.deserialize_model(graph), None)
    program.optimize()
    program.save(path)
    return is_kept


def _trace(
    model: nn.Module,
    example: tuple[Tensor, ...],
    *,
    names: list[str],
    output: str,
    dynamic: tuple[object, ...],
) -> onnx.ModelProto:
    """The graph before constants are folded, which would mix weights into others."""
    for name in ("torch.onnx", "onnxscript", "torch.export", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # a second export of a GRU in one process would freeze the length to the example's (torch 2.13)
    torch.ops.aten.gru.input._dispatch_cache.clear()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            example,
            dynamo=True,
            input_names=names,
            output_names=[output],
            dynamic_shapes=dynamic,
            external_data=False,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto
