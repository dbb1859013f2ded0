"""Every model on the way from the dataset to answers: what the server computes is what training computed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import shop
import torch

from configs.schema import Config
from configs.settings.encoder import MODELS_OF_SETS, EncoderConfig
from features.dataset import Dataset
from features.prepare import prepare
from features.retrievers.encoder import EncoderRetriever
from features.splits import split_points
from serving.recommend.pipeline import Pipeline
from training.encoder.fit import fit_encoders
from training.encoder.load import load_encoder
from training.encoder.validation import validation_loader
from training.export.bundle import build_bundle
from training.queries import query_at
from training.runs.run import Run

MODELS = get_args(EncoderConfig.model_fields["model"].annotation)


FITTED = [*((model, 1) for model in MODELS), ("two_tower", 2)]
"""(model, encoders of its ensemble)"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.write_shop(tmp_path_factory.mktemp("models") / "raw", num_users=30)


@pytest.fixture(scope="module")
def dataset(raw: Path) -> Dataset:
    config = shop.make_config(raw, raw.parent / "workspace")
    prepare(config, now=shop.NOW)
    return Dataset.open(config.workspace / "dataset")


@pytest.fixture(scope="module", params=FITTED, ids=str)
def fitted(
    request: pytest.FixtureRequest, raw: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, Dataset, Run, Pipeline]:
    """(settings, dataset, run, pipeline at the validation split point) of one model on a small shop."""
    model, size = request.param
    training = ("training.max_epochs=1", "training.refit_epochs=0", "training.batch_tokens=512")
    order = "set" if model in MODELS_OF_SETS else "sequence"
    encoders = (f"encoder.model={model}", f"encoder.ensemble={size}", f"history.order={order}")
    config = shop.make_config(raw, raw.parent / "workspace", *training, *encoders)
    timeline = split_points(dataset, config.split)
    folder = tmp_path_factory.mktemp("model")
    run = Run.create(folder, name="test")
    fit_encoders(dataset, timeline, config=config, run=run)
    encoder = load_encoder(run.folder, dataset, point="validation", config=config)
    bundle = build_bundle(dataset, timeline[0], encoder=encoder, ranker=None, config=config, made_by={})
    bundle.save(folder / "bundle", made_from=dataset.fingerprint)
    return config, dataset, run, Pipeline.load(folder / "bundle")


def encoder_of(pipeline: Pipeline) -> EncoderRetriever:
    found = pipeline.bundle.retrievers["encoder"]
    assert isinstance(found, EncoderRetriever)
    return found


def test_the_server_looks_for_what_training_looked_for(fitted: tuple[Config, Dataset, Run, Pipeline]) -> None:
    """The validation users' query vectors by torch from training's batches, and by the pipeline from their
    histories."""
    config, dataset, run, pipeline = fitted
    validation, test, _ = split_points(dataset, config.split)
    encoder = load_encoder(run.folder, dataset, point="validation", config=config)
    by_torch = []
    with torch.no_grad():
        for batch in validation_loader(dataset, validation, test, config=config):
            vectors = encoder.item_vectors(batch.items_BL)
            queries_BD = encoder.query_vectors(
                vectors, batch.event_types_BL, batch.ages_BL, batch.lengths_B, batch.user
            )
            by_torch += queries_BD.tolist()
    retriever = encoder_of(pipeline)
    queries = [query_at(dataset, validation, user) for user in range(dataset.num_users)]
    by_server = [
        retriever.query_encoder.encode(pipeline.know(query).context, retriever.item_vectors)
        for query in queries
    ]
    found = np.array([vector for vector in by_server if vector is not None])
    assert len(by_torch) > 20
    for vector in by_torch:
        assert np.abs(found - vector).max(axis=1).min() < 1e-4


def test_items_have_the_vectors_of_torch_and_those_without_history_what_their_description_gives(
    fitted: tuple[Config, Dataset, Run, Pipeline],
) -> None:
    config, dataset, run, pipeline = fitted
    bundle = pipeline.bundle
    encoder = load_encoder(run.folder, dataset, point="validation", config=config)
    known = np.flatnonzero(bundle.item_profiles.known)
    with torch.no_grad():
        np.testing.assert_allclose(
            encoder_of(pipeline).item_vectors[known], encoder.item_vectors(torch.from_numpy(known)), atol=1e-5
        )
    never_sold = bundle.item_index[shop.NEVER_SOLD[0]]
    has_tower = encoder.item_tower is not None
    assert encoder_of(pipeline).item_vectors[never_sold].any() == has_tower
    assert bundle.recommendable[never_sold] == has_tower


def test_only_a_model_that_reads_the_user_makes_its_bundle_carry_attributes(
    fitted: tuple[Config, Dataset, Run, Pipeline],
) -> None:
    config, dataset, run, pipeline = fitted
    encoder = load_encoder(run.folder, dataset, point="validation", config=config)
    assert (pipeline.bundle.users is not None) == encoder.reads_user
    assert len(pipeline.bundle.user_attributes("nobody")) == 0
