"""What every encoder must keep, found by walking the names in `EncoderConfig`: a new model is tested by being named there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from configs.schema import EncoderConfig
from features.columns import KIND
from features.histories import History
from models.encoder import Encoder, build_encoder
from models.losses import full_softmax, sampled_softmax
from training.batches import Batch, Events, TrainingBatches
from training.export_onnx import export_encoder

MODELS = get_args(EncoderConfig.model_fields["model"].annotation)
NUM_ITEMS = 12
MAX_LENGTH = 10
DIM = 8
INPUTS = ("history_vectors", "kinds", "ages", "lengths")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def encoder(model: str) -> Encoder:
    return build(model)


def build(model: str) -> Encoder:
    """A small encoder with weights far enough from 0 that every part of it matters."""
    torch.manual_seed(3)
    config = EncoderConfig.model_validate({"model": model, "dim": DIM, "num_layers": 2, "dropout": 0.1})
    encoder = build_encoder(config, num_items=NUM_ITEMS, max_length=MAX_LENGTH).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return encoder


def histories(batch: int, length: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(items, kinds, ages, lengths); the last history fills the whole width."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    lengths[-1] = length
    return (
        torch.randint(NUM_ITEMS, (batch, length), generator=generator),
        torch.randint(len(KIND), (batch, length), generator=generator),
        torch.rand(batch, length, generator=generator).cumsum(dim=1).flip(1),
        lengths,
    )


@torch.no_grad()
def queries(encoder: Encoder, items: Tensor, kinds: Tensor, ages: Tensor, lengths: Tensor) -> Tensor:
    return encoder.query_vectors(encoder.item_vectors(items), kinds, ages, lengths)


def test_item_vectors_and_states_have_the_shapes_of_the_contract(encoder: Encoder) -> None:
    items, kinds, ages, lengths = histories(3, 5)
    assert encoder.item_vectors(items).shape == (3, 5, DIM)
    assert encoder.item_vectors(torch.arange(NUM_ITEMS)).shape == (NUM_ITEMS, DIM)
    assert encoder.states(encoder.item_vectors(items), kinds, ages, lengths).shape == (3, 5, DIM)
    assert encoder.query_vectors(encoder.item_vectors(items), kinds, ages, lengths).shape == (3, DIM)


def test_it_starts_from_given_item_vectors(encoder: Encoder) -> None:
    given = torch.randn(NUM_ITEMS, DIM, generator=torch.Generator().manual_seed(8))
    encoder.start_from(given)
    torch.testing.assert_close(encoder.item_vectors(torch.arange(NUM_ITEMS)), given)


def test_a_batch_gives_what_its_rows_give_alone(encoder: Encoder) -> None:
    items, kinds, ages, lengths = histories(5, MAX_LENGTH)
    together = queries(encoder, items, kinds, ages, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = queries(encoder, *(part[row : row + 1, :length] for part in (items, kinds, ages)), lengths[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])


def test_what_stands_in_the_padding_changes_nothing(encoder: Encoder) -> None:
    items, kinds, ages, lengths = histories(5, MAX_LENGTH)
    is_padding = torch.arange(MAX_LENGTH) >= lengths[:, None]
    assert is_padding.any()
    other_items, other_kinds, other_ages, _ = histories(5, MAX_LENGTH, seed=1)
    filled = [
        torch.where(is_padding, other, part) for other, part in ((other_items, items), (other_kinds, kinds), (other_ages, ages))
    ]
    torch.testing.assert_close(queries(encoder, *filled, lengths), queries(encoder, items, kinds, ages, lengths))


def test_the_latest_event_matters(encoder: Encoder) -> None:
    items, kinds, ages, lengths = histories(1, 6)
    other = items.clone()
    other[0, 5] = (other[0, 5] + 1) % NUM_ITEMS
    assert not torch.allclose(queries(encoder, items, kinds, ages, lengths), queries(encoder, other, kinds, ages, lengths))


@torch.no_grad()
def test_no_position_sees_the_future(encoder: Encoder) -> None:
    if not encoder.causal:
        pytest.skip("this model does not claim it: only its last state is trained")
    items, kinds, ages, _ = histories(2, MAX_LENGTH)
    full = torch.full((2,), MAX_LENGTH)
    states = encoder.states(encoder.item_vectors(items), kinds, ages, full)
    later_items, later_kinds, later_ages, _ = histories(2, MAX_LENGTH, seed=1)
    for seen in range(1, MAX_LENGTH):
        changed = [part.clone() for part in (items, kinds, ages)]
        for part, later in zip(changed, (later_items, later_kinds, later_ages), strict=True):
            part[:, seen:] = later[:, seen:]
        again = encoder.states(encoder.item_vectors(changed[0]), changed[1], changed[2], full)
        torch.testing.assert_close(again[:, :seen], states[:, :seen])


def test_a_shift_of_all_ages_changes_nothing_for_a_causal_model(encoder: Encoder) -> None:
    if not encoder.causal:
        pytest.skip("this model may look at the time of the question")
    items, kinds, ages, lengths = histories(4, 7)
    torch.testing.assert_close(
        queries(encoder, items, kinds, ages + 100, lengths), queries(encoder, items, kinds, ages, lengths), rtol=1e-4, atol=1e-4
    )


def test_saved_and_loaded_it_gives_the_same_numbers(encoder: Encoder, model: str, tmp_path: Path) -> None:
    torch.save(encoder.state_dict(), tmp_path / "weights.pt")
    config = EncoderConfig.model_validate({"model": model, "dim": DIM, "num_layers": 2, "dropout": 0.1})
    torch.manual_seed(99)
    loaded = build_encoder(config, num_items=NUM_ITEMS, max_length=MAX_LENGTH).eval()
    inputs = histories(3, 6)
    assert not torch.allclose(queries(loaded, *inputs), queries(encoder, *inputs))
    loaded.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(queries(loaded, *inputs), queries(encoder, *inputs))


@pytest.mark.parametrize("loss", ["full_softmax", "sampled_softmax"])
def test_it_learns_a_checkerboard(model: str, loss: str) -> None:
    """Users stay in their half of the catalogue, so the right half must end up above the wrong one for every user."""
    half = NUM_ITEMS // 2
    config = EncoderConfig.model_validate({"model": model, "dim": DIM, "num_layers": 1, "dropout": 0.0})
    torch.manual_seed(0)
    encoder = build_encoder(config, num_items=NUM_ITEMS, max_length=MAX_LENGTH)
    batches = TrainingBatches(checkerboard(half=half), max_length=MAX_LENGTH, batch_tokens=100, seed=0)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    for epoch in range(12):
        batches.set_epoch(epoch)
        for batch in batches:
            optimizer.zero_grad()
            LOSSES[loss](encoder, batch).backward()
            optimizer.step()
    assert all(weight.grad is not None for weight in encoder.parameters()), "a part of the model takes no part in training"
    generator = torch.Generator().manual_seed(5)
    items = torch.randint(half, (20, 6), generator=generator)
    items[10:] += half
    of_first_half = torch.arange(20) < 10
    scores = queries(encoder.eval(), items, torch.full_like(items, KIND["purchase"]), torch.zeros(20, 6), torch.full((20,), 6))
    scores = scores @ encoder.item_vectors(torch.arange(NUM_ITEMS)).T
    right = torch.where(of_first_half[:, None], scores[:, :half], scores[:, half:])
    wrong = torch.where(of_first_half[:, None], scores[:, half:], scores[:, :half])
    assert (right.min(dim=1).values > wrong.max(dim=1).values).all()


def checkerboard(*, half: int, num_users: int = 40, length: int = 15) -> Events:
    generator = np.random.default_rng(0)
    items = np.concatenate([generator.integers(0, half, length) + half * (user % 2) for user in range(num_users)])
    count = num_users * length
    events = History(
        items=items.astype(np.int32),
        kinds=np.full(count, KIND["purchase"], np.int8),
        times=np.tile(np.arange(length, dtype=np.int64) * 86_400_000_000, num_users),
        baskets=np.arange(count, dtype=np.int64),
        prices=np.ones(count, np.float32),
    )
    starts = np.arange(num_users, dtype=np.int64) * length
    return Events(events, starts=starts, lengths=np.full(num_users, length, np.int64), weights=np.ones(count, np.float32))


def states_of(encoder: Encoder, batch: Batch) -> Tensor:
    vectors = encoder.item_vectors(batch.items_BL)
    return encoder.states(vectors, batch.kinds_BL, batch.ages_BL, batch.lengths_B).flatten(0, 1)[batch.states_S]


def full(encoder: Encoder, batch: Batch) -> Tensor:
    everything = encoder.item_vectors(torch.arange(NUM_ITEMS))
    return full_softmax(states_of(encoder, batch), batch.pair_state_P, batch.targets_P, everything)


def sampled(encoder: Encoder, batch: Batch) -> Tensor:
    negatives = torch.unique(torch.randint(NUM_ITEMS, (8,)))
    expected = torch.full((len(negatives),), float(np.log(1 - (1 - 1 / NUM_ITEMS) ** 8)))
    targets = encoder.item_vectors(batch.targets_P)
    states = states_of(encoder, batch)
    return sampled_softmax(
        states, batch.pair_state_P, batch.targets_P, targets, negatives, encoder.item_vectors(negatives), expected
    )


LOSSES: dict[str, Callable[[Encoder, Batch], Tensor]] = {"full_softmax": full, "sampled_softmax": sampled}


@pytest.fixture(scope="module", params=MODELS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    """An encoder and its graph, the second that this process exports: one exporter froze sizes from then on."""
    encoder = build(str(request.param))
    folder = tmp_path_factory.mktemp("onnx")
    for name in ("first.onnx", "second.onnx"):
        export_encoder(encoder, folder / name, max_length=MAX_LENGTH, max_difference=1e-4)
    return encoder, folder / "second.onnx"


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, MAX_LENGTH), (4, 2), (7, 9), (64, 3)])
def test_the_onnx_graph_gives_the_numbers_of_torch_at_any_size(exported: tuple[Encoder, Path], batch: int, length: int) -> None:
    """To 1e-5: both compute in 32 bits, in another order of sums."""
    encoder, path = exported
    items, kinds, ages, lengths = histories(batch, length, seed=batch)
    vectors = encoder.item_vectors(items).detach()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {name: value.numpy() for name, value in zip(INPUTS, (vectors, kinds, ages, lengths), strict=True)}
    found = session.run(["query_vectors"], {value.name: feed[value.name] for value in session.get_inputs()})[0]
    np.testing.assert_allclose(found, queries(encoder, items, kinds, ages, lengths).numpy(), rtol=1e-5, atol=1e-5)


def test_the_graph_has_no_frozen_size_and_no_table_of_items(exported: tuple[Encoder, Path]) -> None:
    graph = onnx.load(str(exported[1])).graph
    for value in graph.input:
        sizes = value.type.tensor_type.shape.dim
        variable = sizes[:-1] if value.name == "history_vectors" else sizes
        assert all(size.dim_param and not size.HasField("dim_value") for size in variable), value.name
    assert NUM_ITEMS not in {tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 2}
