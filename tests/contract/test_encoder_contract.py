"""The contract of every encoder that `EncoderConfig` names: a new model is tested as soon as it is named
there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from configs.settings.encoder import MODELS_OF_SETS, EncoderConfig
from features.core.columns import EVENT_TYPE_CODE
from features.histories import History
from models.data_shape import DataShape
from models.encoder import Encoder, UserTensors
from models.factory import build_encoder
from models.item_vectors import ItemContent
from models.losses import full_softmax, gbce, sampled_softmax
from training.encoder.batches import Batch, Events, TrainingBatches
from training.encoder.negatives import NegativeSampler
from training.export.onnx_graphs import export_encoder, export_item_encoder

MODELS = get_args(EncoderConfig.model_fields["model"].annotation)
Variant = tuple[str, dict[str, object]]
"""(model, its other settings)"""
VARIANTS: list[Variant] = [
    *[(model, {}) for model in MODELS],
    ("sasrec", {"items": "features"}),
    ("two_tower", {"normalize": True}),
    ("two_tower", {"ensemble": 2}),
]
"""Every model by itself, and each wrapper that a setting adds."""
NUM_ITEMS = 12
MAX_LENGTH = 10
DIM = 8
INPUTS = ("history_vectors", "event_types", "ages", "lengths", "user_numbers", "user_codes")
SHAPE = DataShape(
    num_items=NUM_ITEMS,
    max_length=MAX_LENGTH,
    item_content=torch.stack(
        [torch.arange(NUM_ITEMS) // 6 + 1, torch.arange(NUM_ITEMS) // 3, torch.arange(NUM_ITEMS) % 3], dim=1
    ),
    item_content_sizes=(3, 4, 3),
    item_tokens=torch.randint(50, (NUM_ITEMS, 9), generator=torch.Generator().manual_seed(1)).int(),
    num_words=4,
    item_given=torch.randn(NUM_ITEMS, 6, generator=torch.Generator().manual_seed(2)),
    item_images=torch.randint(
        1, 256, (NUM_ITEMS, 3 * 8 * 8), generator=torch.Generator().manual_seed(4)
    ).byte(),
    num_user_numbers=5,
    user_code_sizes=(4, 3),
)
Inputs = tuple[Tensor, Tensor, Tensor, Tensor, UserTensors]
"""(items, event types, ages, lengths, user)"""


WITH_TOWER = [
    variant for variant in VARIANTS if variant[0] == "two_tower" or variant[1].get("items") == "features"
]


def name_of(variant: Variant) -> str:
    return "-".join([variant[0], *variant[1]])


@pytest.fixture(params=VARIANTS, ids=name_of)
def variant(request: pytest.FixtureRequest) -> Variant:
    found: Variant = request.param
    return found


@pytest.fixture
def encoder(variant: Variant) -> Encoder:
    return build(variant)


def settings(variant: Variant, **others: object) -> EncoderConfig:
    return EncoderConfig.model_validate(
        {
            "model": variant[0],
            "dim": DIM,
            "num_layers": 2,
            "dropout": 0.1,
            "item_text_hashes": 50,
            **variant[1],
            **others,
        }
    )


def build(variant: Variant) -> Encoder:
    """A small encoder with random weights everywhere, so that every part of it has an effect."""
    torch.manual_seed(3)
    encoder = build_encoder(settings(variant), SHAPE).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return encoder


def histories(batch: int, length: int, *, seed: int = 0) -> Inputs:
    """Random histories; the last has no padding."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    lengths[-1] = length
    return (
        torch.randint(NUM_ITEMS, (batch, length), generator=generator),
        torch.randint(len(EVENT_TYPE_CODE), (batch, length), generator=generator),
        torch.rand(batch, length, generator=generator).cumsum(dim=1).flip(1),
        lengths,
        UserTensors(
            torch.randn(batch, 1, SHAPE.num_user_numbers, generator=generator),
            torch.stack(
                [torch.randint(size, (batch, 1), generator=generator) for size in SHAPE.user_code_sizes],
                dim=-1,
            ),
        ),
    )


@torch.no_grad()
def queries(
    encoder: Encoder, items: Tensor, event_types: Tensor, ages: Tensor, lengths: Tensor, user: UserTensors
) -> Tensor:
    return encoder.query_vectors(encoder.item_vectors(items), event_types, ages, lengths, user)


def test_item_vectors_and_states_have_the_shapes_of_the_contract(encoder: Encoder, variant: Variant) -> None:
    items, event_types, ages, lengths, user = histories(3, 5)
    vectors, width = encoder.item_vectors(items), DIM * settings(variant).ensemble
    assert vectors.shape == (3, 5, width)
    assert encoder.item_vectors(torch.arange(NUM_ITEMS)).shape == (NUM_ITEMS, width)
    assert encoder.hidden_states(vectors, event_types, ages, lengths, user).shape == (3, 5, width)
    assert encoder.query_vectors(vectors, event_types, ages, lengths, user).shape == (3, width)


def test_pretrained_item_vectors_are_loaded(variant: Variant) -> None:
    torch.manual_seed(3)
    encoder = build_encoder(settings(variant), SHAPE).eval()
    given = torch.randn(NUM_ITEMS, DIM, generator=torch.Generator().manual_seed(8))
    encoder.load_pretrained(given, torch.ones(NUM_ITEMS, dtype=torch.bool))
    expected = torch.nn.functional.normalize(given, dim=-1) if variant[1].get("normalize") else given
    torch.testing.assert_close(
        encoder.item_vectors(torch.arange(NUM_ITEMS)), expected.repeat(1, settings(variant).ensemble)
    )


def test_a_batch_gives_what_its_rows_give_alone(encoder: Encoder) -> None:
    items, event_types, ages, lengths, user = histories(5, MAX_LENGTH)
    together = queries(encoder, items, event_types, ages, lengths, user)
    for row, length in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        mine = UserTensors(user.numbers[one], user.codes[one])
        alone = queries(
            encoder, items[one, :length], event_types[one, :length], ages[one, :length], lengths[one], mine
        )
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-5)


def test_padding_has_no_effect(encoder: Encoder) -> None:
    items, event_types, ages, lengths, user = histories(5, MAX_LENGTH)
    is_padding = torch.arange(MAX_LENGTH) >= lengths[:, None]
    assert is_padding.any()
    others = histories(5, MAX_LENGTH, seed=1)[:3]
    items_, event_types_, ages_ = (
        torch.where(is_padding, other, part)
        for other, part in zip(others, (items, event_types, ages), strict=True)
    )
    torch.testing.assert_close(
        queries(encoder, items_, event_types_, ages_, lengths, user),
        queries(encoder, items, event_types, ages, lengths, user),
    )


def test_without_catalogue_features_there_is_no_item_tower() -> None:
    without_features = replace(
        SHAPE,
        item_content=torch.zeros(NUM_ITEMS, 3, dtype=torch.long),
        item_content_sizes=(1, 1, 1),
        item_tokens=None,
        item_given=None,
        item_images=None,
    )
    assert build_encoder(settings(("two_tower", {})), without_features).item_tower is None


def test_the_latest_event_matters(encoder: Encoder) -> None:
    items, event_types, ages, lengths, user = histories(1, 6)
    other = items.clone()
    other[0, 5] = (other[0, 5] + 1) % NUM_ITEMS
    assert not torch.allclose(
        queries(encoder, items, event_types, ages, lengths, user),
        queries(encoder, other, event_types, ages, lengths, user),
    )


def test_the_event_type_matters(encoder: Encoder) -> None:
    items, event_types, ages, lengths, user = histories(1, 6)
    other = (event_types + 1) % len(EVENT_TYPE_CODE)
    assert not torch.allclose(
        queries(encoder, items, event_types, ages, lengths, user),
        queries(encoder, items, other, ages, lengths, user),
    ), "`event_types` is not used"


def test_a_model_that_reads_the_user_is_told_apart_by_it(encoder: Encoder) -> None:
    items, event_types, ages, lengths, user = histories(2, 6)
    for other in (user._replace(numbers=user.numbers + 1), user._replace(codes=(user.codes + 1) % 3)):
        same = torch.allclose(
            queries(encoder, items, event_types, ages, lengths, other),
            queries(encoder, items, event_types, ages, lengths, user),
        )
        assert same is not encoder.reads_user


@torch.no_grad()
def test_no_position_sees_the_future(encoder: Encoder) -> None:
    if not encoder.causal:
        pytest.skip("this model is not causal: only its last hidden state is trained")
    items, event_types, ages, _, user = histories(2, MAX_LENGTH)
    full = torch.full((2,), MAX_LENGTH)
    by_position = UserTensors(torch.randn(2, MAX_LENGTH, 5), user.codes.expand(-1, MAX_LENGTH, -1).clone())
    states = encoder.hidden_states(encoder.item_vectors(items), event_types, ages, full, by_position)
    later = histories(2, MAX_LENGTH, seed=1)
    for seen in range(1, MAX_LENGTH):
        changed = [part.clone() for part in (items, event_types, ages, *by_position)]
        for part, other in zip(
            changed,
            (*later[:3], torch.randn(2, MAX_LENGTH, 5), torch.zeros_like(by_position.codes)),
            strict=True,
        ):
            part[:, seen:] = other[:, seen:]
        again = encoder.hidden_states(
            encoder.item_vectors(changed[0]), changed[1], changed[2], full, UserTensors(*changed[3:])
        )
        torch.testing.assert_close(again[:, :seen], states[:, :seen])


def test_a_shift_of_all_ages_has_no_effect_on_a_causal_model(encoder: Encoder) -> None:
    if not encoder.causal:
        pytest.skip("this model may use the time of the request")
    items, event_types, ages, lengths, user = histories(4, 7)
    ages = (ages * 64).round() / 64  # so that the shift itself rounds nothing
    shifted = queries(encoder, items, event_types, ages + 128, lengths, user)
    torch.testing.assert_close(
        shifted, queries(encoder, items, event_types, ages, lengths, user), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one[0] in MODELS_OF_SETS], ids=name_of)
def test_a_model_of_sets_reads_no_order_no_ages_and_no_user(variant: Variant) -> None:
    """`history.order=set` trains and serves without these, and refuses every other model."""
    encoder = build(variant)
    items, event_types, ages, lengths, user = histories(4, 7)
    as_set = queries(encoder, items, event_types, ages, torch.full_like(lengths, 7), user)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    shuffled = queries(
        encoder,
        items[:, order],
        event_types[:, order],
        torch.zeros_like(ages),
        torch.full_like(lengths, 7),
        UserTensors(torch.zeros_like(user.numbers), torch.zeros_like(user.codes)),
    )
    torch.testing.assert_close(shuffled, as_set, rtol=1e-4, atol=1e-5)


def test_saved_and_loaded_it_gives_the_same_numbers(
    encoder: Encoder, variant: Variant, tmp_path: Path
) -> None:
    torch.save(encoder.state_dict(), tmp_path / "weights.pt")
    torch.manual_seed(99)
    loaded = build_encoder(settings(variant), SHAPE).eval()
    inputs = histories(3, 6)
    assert not torch.allclose(queries(loaded, *inputs), queries(encoder, *inputs))
    loaded.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(queries(loaded, *inputs), queries(encoder, *inputs))


@pytest.mark.parametrize("loss", ["full_softmax", "sampled_softmax", "in_batch_softmax", "gbce"])
def test_it_learns_a_checkerboard(variant: Variant, loss: str) -> None:
    """Users stay in their half of the catalogue, so the right half must end up above the wrong one for every
    user."""
    half = NUM_ITEMS // 2
    torch.manual_seed(0)
    encoder = build_encoder(settings(variant, num_layers=1, dropout=0.0), SHAPE)
    batches = TrainingBatches(checkerboard(half=half), max_length=MAX_LENGTH, batch_tokens=100, seed=0)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    for epoch in range(30):
        batches.set_epoch(epoch)
        for batch in batches:
            optimizer.zero_grad()
            torch.autograd.backward(LOSSES[loss](encoder, batch))
            optimizer.step()
        if epoch % 5 == 4 and all_halves_are_right(encoder.eval(), half=half):
            break
        encoder.train()
    assert all(weight.grad is not None for weight in encoder.parameters()), (
        "a part of the model gets no gradient"
    )
    assert all_halves_are_right(encoder.eval(), half=half), (
        "the wrong half ranks above the right: are its weights initialised near 0?"
    )


def test_every_position_is_trained(variant: Variant) -> None:
    """The last one above all, whose state answers everyone with a long history."""
    encoder = build(variant)
    events = checkerboard(half=NUM_ITEMS // 2)
    (batch,) = TrainingBatches(events, max_length=MAX_LENGTH, batch_tokens=100_000, seed=0)
    torch.autograd.backward(LOSSES["full_softmax"](encoder, batch))
    by_position = {
        name: weight for name, weight in encoder.named_parameters() if weight.shape[:1] == (MAX_LENGTH,)
    }
    assert bool(by_position) is (variant[0] in ("sasrec", "bsarec", "hstu"))
    for name, weight in by_position.items():
        assert weight.grad is not None
        assert (weight.grad.abs().sum(dim=1) > 0).all(), name


@torch.no_grad()
def all_halves_are_right(encoder: Encoder, *, half: int) -> bool:
    generator = torch.Generator().manual_seed(5)
    items = torch.randint(half, (20, 6), generator=generator)
    items[10:] += half
    of_first_half = torch.arange(20) < 10
    bought = torch.full_like(items, EVENT_TYPE_CODE["purchase"])
    scores = queries(encoder, items, bought, torch.zeros(20, 6), torch.full((20,), 6), unknown_user(20))
    scores = scores @ encoder.item_vectors(torch.arange(NUM_ITEMS)).T
    right = torch.where(of_first_half[:, None], scores[:, :half], scores[:, half:])
    wrong = torch.where(of_first_half[:, None], scores[:, half:], scores[:, :half])
    return bool((right.min(dim=1).values > wrong.max(dim=1).values).all())


def unknown_user(batch: int) -> UserTensors:
    return UserTensors(
        torch.zeros(batch, 1, SHAPE.num_user_numbers), torch.zeros(batch, 1, 2, dtype=torch.long)
    )


@pytest.mark.parametrize("variant", WITH_TOWER, ids=name_of)
@torch.no_grad()
def test_items_without_training_data_have_no_effect_on_pretrained_features(variant: Variant) -> None:
    """Half of each category has no training data: the category's direction is that of the other half, and
    the items without data start there."""
    encoder = build_encoder(settings(variant), SHAPE).eval()
    known = torch.arange(NUM_ITEMS) % 2 == 0
    given = torch.zeros(NUM_ITEMS, DIM)
    given[:6, 0], given[6:, 1] = 1.0, 1.0
    encoder.load_pretrained(given, known)
    expected = given.repeat(1, settings(variant).ensemble)
    torch.testing.assert_close(encoder.item_vectors(torch.arange(NUM_ITEMS)), expected)
    encoder.reset_item_embeddings(~known)
    for member in encoder.members:
        assert member.item_tower is not None
        assert (member.item_tower.ids.weight[~known] == 0).all()


@pytest.mark.parametrize("variant", WITH_TOWER, ids=name_of)
def test_a_cold_start_item_is_near_the_items_with_its_features(variant: Variant) -> None:
    """With pretrained vectors that the category explains, an unseen item of a category gets its direction."""
    given = torch.zeros(NUM_ITEMS, DIM)
    given[:6, 0], given[6:, 1] = 1.0, 1.0
    torch.manual_seed(3)
    encoder = build_encoder(settings(variant), SHAPE).eval()
    encoder.load_pretrained(given, torch.ones(NUM_ITEMS, dtype=torch.bool))
    nothing = (torch.zeros(2, 9, dtype=torch.long), torch.zeros(2, 6), torch.zeros(2, 192, dtype=torch.uint8))
    content = ItemContent(torch.tensor([[1, 0, 0], [2, 0, 0]]), *nothing)
    first, second = encoder.cold_start_item_vectors(content).detach()
    assert first[0] > 0.9
    assert second[1] > 0.9
    assert first[1].abs() < 0.1


def checkerboard(*, half: int, num_users: int = 40, length: int = 15) -> Events:
    generator = np.random.default_rng(0)
    items = np.concatenate(
        [generator.integers(0, half, length) + half * (user % 2) for user in range(num_users)]
    )
    count = num_users * length
    events = History(
        items=items.astype(np.int32),
        event_types=np.full(count, EVENT_TYPE_CODE["purchase"], np.int8),
        times=np.tile(np.arange(length, dtype=np.int64) * 86_400_000_000, num_users),
        baskets=np.arange(count, dtype=np.int64),
        prices=np.ones(count, np.float32),
    )
    starts = np.arange(num_users, dtype=np.int64) * length
    lengths = np.full(num_users, length, np.int64)
    return Events(
        events, starts=starts, lengths=lengths, weights=np.ones(count, np.float32), rows=np.arange(count)
    )


def hidden_states_of(encoder: Encoder, batch: Batch) -> Tensor:
    vectors = encoder.item_vectors(batch.items_BL)
    user = unknown_user(len(batch.items_BL))
    return encoder.hidden_states(vectors, batch.event_types_BL, batch.ages_BL, batch.lengths_B, user).flatten(
        0, 1
    )[batch.states_S]


def full_loss(encoder: Encoder, batch: Batch) -> Tensor:
    full = encoder.item_vectors(torch.arange(NUM_ITEMS))
    return full_softmax(hidden_states_of(encoder, batch), batch.pair_state_P, batch.targets_P, full)


def sampled(encoder: Encoder, batch: Batch) -> Tensor:
    negatives = torch.unique(torch.randint(NUM_ITEMS, (8,)))
    expected = torch.full((len(negatives),), float(np.log(1 - (1 - 1 / NUM_ITEMS) ** 8)))
    vectors = encoder.item_vectors(torch.arange(NUM_ITEMS))
    pairs = batch.pair_state_P, batch.targets_P, vectors[batch.targets_P]
    return sampled_softmax(hidden_states_of(encoder, batch), *pairs, negatives, vectors[negatives], expected)


def in_batch(encoder: Encoder, batch: Batch) -> Tensor:
    sampler = NegativeSampler(
        torch.arange(NUM_ITEMS), num_items=NUM_ITEMS, num_negatives=1, popularity_sampling_ratio=0.0
    )
    negatives, expected = sampler.in_batch(batch.targets_P)
    vectors = encoder.item_vectors(torch.arange(NUM_ITEMS))
    pairs = batch.pair_state_P, batch.targets_P, vectors[batch.targets_P]
    return sampled_softmax(hidden_states_of(encoder, batch), *pairs, negatives, vectors[negatives], expected)


def binary(encoder: Encoder, batch: Batch) -> Tensor:
    negatives = torch.unique(torch.randint(NUM_ITEMS, (8,)))
    vectors = encoder.item_vectors(torch.arange(NUM_ITEMS))
    pairs = batch.pair_state_P, batch.targets_P, vectors[batch.targets_P]
    return gbce(
        hidden_states_of(encoder, batch),
        *pairs,
        negatives,
        vectors[negatives],
        num_items=NUM_ITEMS,
        calibration=0.75,
    )


LOSSES: dict[str, Callable[[Encoder, Batch], Tensor]] = {
    "full_softmax": full_loss,
    "sampled_softmax": sampled,
    "in_batch_softmax": in_batch,
    "gbce": binary,
}


EXPORTED = [variant for variant in VARIANTS if variant[1].get("items") != "features"]
"""Item embeddings are not part of the exported graph."""


@pytest.fixture(scope="module", params=EXPORTED, ids=name_of)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Encoder, Path]:
    """An encoder and its graph. A recurrent one is exported twice: in a second export in one process, sizes
    used to be frozen."""
    encoder = build(request.param)
    path = tmp_path_factory.mktemp("onnx") / "user_encoder.onnx"
    for _ in range(2 if request.param[0] == "gru4rec" else 1):
        export_encoder(encoder, path, max_length=MAX_LENGTH, max_difference=1e-4)
    return encoder, path


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, MAX_LENGTH), (4, 2), (7, 9), (64, 3)])
def test_the_onnx_graph_gives_the_numbers_of_torch_at_any_size(
    exported: tuple[Encoder, Path], batch: int, length: int
) -> None:
    """To 2e-5: both compute in 32 bits, with another order of sums."""
    encoder, path = exported
    items, event_types, ages, lengths, user = histories(batch, length, seed=batch)
    vectors = encoder.item_vectors(items).detach()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = (vectors, event_types, ages, lengths, user.numbers[:, 0], user.codes[:, 0])
    feed = {name: value.numpy() for name, value in zip(INPUTS, values, strict=True)}
    found = session.run(["query_vectors"], {value.name: feed[value.name] for value in session.get_inputs()})[
        0
    ]
    expected = queries(encoder, items, event_types, ages, lengths, user).numpy()
    np.testing.assert_allclose(
        found, expected, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(expected).max()))
    )


def test_the_graph_has_no_frozen_size_and_no_table_of_items(exported: tuple[Encoder, Path]) -> None:
    graph = onnx.load(str(exported[1])).graph
    for value in graph.input:
        sizes = value.type.tensor_type.shape.dim
        variable = sizes[:-1] if value.name in ("history_vectors", "user_numbers", "user_codes") else sizes
        assert all(size.dim_param and not size.HasField("dim_value") for size in variable), value.name
    assert NUM_ITEMS not in {tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 2}


@torch.no_grad()
@pytest.mark.parametrize("variant", WITH_TOWER, ids=name_of)
def test_the_item_graph_gives_the_vectors_of_cold_start_items(variant: Variant, tmp_path: Path) -> None:
    encoder = build(variant)
    tower = encoder.item_tower
    assert tower is not None
    export_item_encoder(encoder, tower, tmp_path / "items.onnx", max_difference=1e-4)
    session = onnxruntime.InferenceSession(str(tmp_path / "items.onnx"), providers=["CPUExecutionProvider"])
    codes = torch.tensor([[0, 0, 0], [2, 3, 1], [1, 0, 2], [1, 1, 1], [0, 0, 0]])
    tokens = torch.tensor([[0] * 9, [7] * 9, [1, 2, 0, 0, 3, 0, 0, 0, 0], [0] * 9, list(range(9))])
    given = torch.randn(5, 6) * torch.tensor([0, 1, 0, 1, 1])[:, None]
    images = torch.randint(1, 256, (5, 3 * 8 * 8)).byte() * torch.tensor([1, 0, 1, 0, 1]).byte()[:, None]
    for count in (1, 3, 5):
        content = ItemContent(codes[:count], tokens[:count], given[:count], images[:count])
        feed = {name: value.numpy() for name, value in content._asdict().items()}
        found = session.run(["item_vectors"], feed)[0]
        expected = encoder.cold_start_item_vectors(content).numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
