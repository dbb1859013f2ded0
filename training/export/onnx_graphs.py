"""Torch models to ONNX graphs, and the gate that both give the same numbers at other sizes than the
example's.

Shapes: B histories, L positions, D width, C candidates, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from configs.exceptions import GateError
from features.core.onnx import onnx_session
from models.encoder import Encoder, UserTensors
from models.item_vectors import ItemContent, ItemTower
from models.ranker import RankerNetwork
from serving.recommend.ranker import RANKER_FILE
from training.export.write_graph import write_graph

GATE_SIZES = ((1, 1), (1, 2), (3, 7), (2, 33))
"""Batch and length of the histories on which graph and model are compared; the length is cut to the model's
longest."""


class _QueryEncoder(nn.Module):
    """The exported graph: the last valid state, not all of them."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self,
        history_vectors: Tensor,
        event_types: Tensor,
        ages: Tensor,
        lengths: Tensor,
        user_numbers: Tensor | None = None,
        user_codes: Tensor | None = None,
    ) -> Tensor:
        user = None
        if user_numbers is not None and user_codes is not None:
            user = UserTensors(user_numbers.unsqueeze(1), user_codes.unsqueeze(1))
        return self.encoder.query_vectors(history_vectors, event_types, ages, lengths, user)


class _ItemEncoder(nn.Module):
    """What is known of items without history → their vectors."""

    def __init__(self, encoder: Encoder, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder, self.inputs = encoder, inputs

    def forward(self, *content: Tensor) -> Tensor:
        named = dict(zip(self.inputs, content, strict=True))
        return self.encoder.cold_start_item_vectors(ItemContent(**named))


INPUTS = ("history_vectors", "event_types", "ages", "lengths")
USER_INPUTS = ("user_numbers", "user_codes")
"""Of the models that read the user's features: (B, F) float and (B, A) int64."""


def export_encoder(encoder: Encoder, path: Path, *, max_length: int, max_difference: float) -> float:
    """Write `user_encoder.onnx` for any batch and any history up to `max_length`; returns the largest
    difference found.

    Raises GateError, and leaves no file, when an input has a frozen size or the graph differs from the model.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    length = torch.export.Dim("length", min=1, max=max_length) if max_length > 1 else None
    by_position = {0: batch, 1: length} if length else {0: batch}
    example = _example(encoder, batch=2, length=min(3, max_length), seed=0)
    sizes = (by_position, by_position, by_position, {0: batch}, {0: batch}, {0: batch})
    return _export(
        _QueryEncoder(encoder.eval()),
        example,
        path,
        names=list((INPUTS + USER_INPUTS)[: len(example)]),
        output="query_vectors",
        dynamic=sizes[: len(example)],
        difference=lambda: _compare_encoder(encoder, path, max_length=max_length),
        max_difference=max_difference,
    )


def export_item_encoder(encoder: Encoder, tower: ItemTower, path: Path, *, max_difference: float) -> float:
    """Write `item_encoder.onnx`, content (M rows) → vectors (M, D) of items without history; see
    `export_encoder`.

    The ids stay out of the graph: a known item's vector is in the bundle already.
    """
    names = tower.content.inputs
    model = _ItemEncoder(encoder.eval(), names)
    items = torch.export.Dim("items", min=1, max=1_000_000)

    @torch.no_grad()
    def difference() -> float:
        found = []
        for count in (1, 2, 50):
            inputs = _content(tower, count)
            found.append(_difference(path, dict(zip(names, inputs, strict=True)), model(*inputs)))
        return float(np.max(found))

    return _export(
        model,
        _content(tower, 3),
        path,
        names=list(names),
        output="item_vectors",
        dynamic=(({0: items},) * len(names),),
        difference=difference,
        max_difference=max_difference,
    )


def _content(tower: ItemTower, count: int) -> tuple[Tensor, ...]:
    """Random content of so many items: texts of any length, some items without a given vector or an image."""
    generator = torch.Generator().manual_seed(count)
    codes = [torch.randint(size, (count,), generator=generator) for size in tower.sizes]
    inputs = [torch.stack(codes, dim=1)]
    if tower.text is not None and tower.content.tokens is not None:
        shape = (count, tower.content.tokens.shape[1])
        tokens = torch.randint(2**31 - 1, shape, generator=generator)
        num_tokens = torch.randint(shape[1] + 1, (count, 1), generator=generator)
        inputs.append(tokens * (torch.arange(shape[1]) < num_tokens))
    if tower.content.given is not None:
        given = torch.randn(count, tower.content.given.shape[1], generator=generator)
        inputs.append(given * (torch.arange(count) % 2 == 0)[:, None])
    if tower.content.images is not None:
        shape = (count, tower.content.images.shape[1])
        images = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        inputs.append(images * (torch.arange(count) % 3 > 0)[:, None])
    return tuple(inputs)


def export_ranker(ranker: RankerNetwork, path: Path, *, max_difference: float) -> float:
    """Write `ranker.onnx` for any number of candidates; see `export_encoder`."""
    num_features = len(ranker.mean)
    candidates = torch.export.Dim("candidates", min=1, max=1_000_000)

    def difference() -> float:
        found = []
        for count in (1, 2, 777):
            features = torch.randn(count, num_features, generator=torch.Generator().manual_seed(count)) * 3
            found.append(
                _difference(path, {"features": features}, ranker(features), by_column=bool(ranker.outcomes))
            )
        return float(np.max(found))  # NaN if one is: `max` would lose it

    return _export(
        ranker.eval(),
        (torch.randn(5, num_features),),
        path,
        names=["features"],
        output="scores",
        dynamic=({0: candidates},),
        difference=difference,
        max_difference=max_difference,
    )


def ranker_graph(ranker: RankerNetwork, *, max_difference: float = 1e-3) -> bytes:
    """The bytes of `export_ranker`."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / RANKER_FILE
        export_ranker(ranker, path, max_difference=max_difference)
        return path.read_bytes()


def _export(
    model: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: list[str],
    output: str,
    dynamic: tuple[object, ...],
    difference: Callable[[], float],
    max_difference: float,
) -> float:
    """Write the graph and return how far it is from the model, at most `max_difference`."""
    write = partial(write_graph, model, example, path, names=names, output=output, dynamic=dynamic)
    if write():
        try:
            return _gated(path, difference, max_difference=max_difference)
        except GateError:
            write(trace_anew=True)
    return _gated(path, difference, max_difference=max_difference)


def _example(encoder: Encoder, *, batch: int, length: int, seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    num_items = 8
    items_BL = torch.randint(num_items, (batch, length), generator=generator)
    width = encoder.item_vectors(torch.zeros(1, dtype=torch.long)).shape[-1]
    user = (
        (
            torch.randn(batch, encoder.shape.num_user_numbers, generator=generator),
            torch.stack(
                [
                    torch.randint(size, (batch,), generator=generator)
                    for size in encoder.shape.user_code_sizes
                ],
                dim=1,
            ),
        )
        if encoder.reads_user
        else ()
    )
    return (
        torch.randn(num_items, width, generator=generator)[items_BL],
        torch.randint(3, (batch, length), generator=generator),
        torch.rand(batch, length, generator=generator).cumsum(dim=1).flip(1),
        torch.randint(1, length + 1, (batch,), generator=generator),
        *user,
    )


def _compare_encoder(encoder: Encoder, path: Path, *, max_length: int) -> float:
    found = []
    for batch, length in (*GATE_SIZES, (1, max_length)):
        inputs = _example(encoder, batch=batch, length=min(length, max_length), seed=batch * length)
        feed = dict(zip(INPUTS + USER_INPUTS, inputs, strict=False))
        with torch.no_grad():
            found.append(_difference(path, feed, _QueryEncoder(encoder)(*inputs)))
    return float(np.max(found))


def _difference(path: Path, feed: dict[str, Tensor], expected: Tensor, *, by_column: bool = False) -> float:
    """The largest difference relative to the largest number expected; with `by_column` to that of each
    column, where scores stand beside probabilities; small ones are compared as if they were one in a
    hundred."""
    graph = path.read_bytes()
    output = onnx.load_from_string(graph).graph.output[0].name
    session = onnx_session(graph, inputs=feed.keys(), output=output)
    used = {value.name: feed[value.name].numpy() for value in session.get_inputs()}
    found = session.run(None, used)[0]
    reference = expected.detach().numpy()
    axis = 0 if by_column else None
    largest = np.maximum(np.abs(reference).max(axis=axis), _SMALL_PROBABILITY if by_column else 1e-12)
    return float((np.abs(found - reference).max(axis=axis) / largest).max())


def _gated(path: Path, difference: Callable[[], float], *, max_difference: float) -> float:
    frozen = [
        f"{value.name}[{axis}]={dimension.dim_value}"
        for value in onnx.load(str(path)).graph.input
        for axis, dimension in enumerate(
            value.type.tensor_type.shape.dim[:-1] if value.name in _WIDE else value.type.tensor_type.shape.dim
        )
        if dimension.HasField("dim_value")
    ]
    found = float("nan") if frozen else difference()
    if frozen or not found <= max_difference:
        path.unlink()
        problem = (
            f"sizes are frozen: {', '.join(frozen)}"
            if frozen
            else f"it differs from torch by {found:.2g} (at most {max_difference:g})"
        )
        raise GateError(f"{path.name}: {problem}. The bundle was not written.")
    return found


_SMALL_PROBABILITY = 0.01
_WIDE = ("history_vectors", "features", "user_numbers", "user_codes", "codes", "tokens", "given", "images")
"""Inputs whose last dimension is a width and rightly fixed."""
