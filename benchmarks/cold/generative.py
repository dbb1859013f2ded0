"""Generative retrieval: what the decoder writes for a user, alone and re-ranked by the encoder.

Alone, as TIGER (Rajput et al., NeurIPS 2023, arXiv:2305.05065), but the query is that of a trained, frozen
encoder, beside the mean content of the history. Re-ranked, as LIGER (Yang et al. 2024, arXiv:2411.18814): the
items that were written, and every cold one, by the dense dot product.

Shape suffixes: B users of a batch, C width of the content, D width of the encoder's vectors, L positions, N
items, P pairs, S states, W places of the beam, X = D + C.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.cold.decoder import Decoder, NextItems, beam_search, fit_decoder
from benchmarks.cold.generators import queries
from benchmarks.cold.semantic_ids import SemanticIds, Trie
from benchmarks.cold.split import ColdSplit, Ranking
from benchmarks.published_baselines import Scorer
from configs.console import log
from configs.schema import Config
from features.core.columns import EVENT_TYPE_CODE
from features.dataset import Dataset
from models.encoder import Encoder
from training.encoder.batches import Batch, Events, TrainingBatches
from training.encoder.checkpoint import save_torch
from training.encoder.user_table import UserTable
from training.encoder.validation import ValidationBatch

CONTENT_WIDTH: Final = 128
BEAM_WIDTH: Final = 50


@dataclass(frozen=True)
class Inputs:
    """What ids are made of, and what a query is made of."""

    encoder: Encoder
    vectors_ND: Tensor
    """Of every item: a cold one has those of its content neighbours"""
    content_NC: Tensor
    """Of length 1, or zeros"""

    @property
    def quantised(self) -> Tensor:
        """(N, X) what the codes stand for: both vectors, each of length 1."""
        return torch.cat([F.normalize(self.vectors_ND, dim=1), self.content_NC], dim=1)

    @property
    def scorer(self) -> Scorer:
        """By the dot product with `quantised`: without what ids lose and without what the decoder learns."""
        quantised_NX = self.quantised

        def score(batch: ValidationBatch) -> Tensor:
            return self.queries(batch) @ quantised_NX.T

        return score

    def queries(self, batch: ValidationBatch) -> Tensor:
        """(B, X) at the end of each history."""
        is_there_BL = torch.arange(batch.items_BL.shape[1]) < batch.lengths_B[:, None]
        content_BLC = self.content_NC[batch.items_BL] * is_there_BL[..., None]
        return _joined(queries(self.encoder, batch, self.vectors_ND), content_BLC.sum(dim=1))

    @torch.no_grad()
    def training_queries(self, batch: Batch) -> Tensor:
        """(S, X) at each moment that predicts."""
        hidden_BLD = self.encoder.hidden_states(
            self.vectors_ND[batch.items_BL], batch.event_types_BL, batch.ages_BL, batch.lengths_B, batch.user
        )
        content_BLC = self.content_NC[batch.items_BL].cumsum(dim=1)
        return _joined(hidden_BLD.flatten(0, 1)[batch.states_S], content_BLC.flatten(0, 1)[batch.states_S])


def _joined(query: Tensor, content: Tensor) -> Tensor:
    return torch.cat([F.normalize(query, dim=-1), F.normalize(content, dim=-1)], dim=-1)


def next_items(inputs: Inputs, dataset: Dataset, split: ColdSplit, config: Config) -> NextItems:
    """Every moment before the split as the encoder is trained on it: a history, and the next basket."""
    codes = np.array([EVENT_TYPE_CODE[name] for name in config.history.input_event_types], np.int8)
    events = Events.before(dataset, split.point, input_event_types=codes, targets=config.history.targets)
    batches = TrainingBatches(
        events,
        max_length=config.history.max_length,
        batch_tokens=config.training.batch_tokens,
        seed=config.training.seed,
        user_table=UserTable.of(dataset) if inputs.encoder.reads_user else None,
    )
    found, states, items, num_states = [], [], [], 0
    for batch in batches:
        found.append(inputs.training_queries(batch))
        states.append(batch.pair_state_P + num_states)
        items.append(batch.targets_P)
        num_states += len(batch.states_S)
    return NextItems(torch.cat(found), torch.cat(states), torch.cat(items))


_List = tuple[int, Tensor, Tensor]
"""A row of a batch, items (W,), best first, and their log-probabilities"""
_Lists = Sequence[_List]


@dataclass(frozen=True)
class Generative:
    """A trained decoder, with the ids that it writes."""

    inputs: Inputs
    decoder: Decoder
    trie: Trie
    """Of all items with an event, before the split or after it"""
    _kept: dict[tuple[str, int, int], _Lists] = field(default_factory=dict)
    """What was written for a ranking, a width and a batch: two entrants read it"""

    def scorer(self, ranking: Ranking, *, width: int = BEAM_WIDTH) -> Scorer:
        """By the log-probability of what was written; everything else is in no list. Users without a target
        in the ranking, who are not measured there, get no list."""

        def score(batch: ValidationBatch) -> Tensor:
            scores_BN = torch.full((len(batch.users_B), len(ranking.candidates_N)), -torch.inf)
            for row, items_W, scores_W in self._lists(batch, ranking, width=width):
                scores_BN[row, items_W] = scores_W
            return scores_BN

        return score

    def reranked(self, ranking: Ranking, dense: Scorer, *, cold_N: Tensor, width: int = BEAM_WIDTH) -> Scorer:
        """What was written and every cold item, by the scores of `dense`."""

        def score(batch: ValidationBatch) -> Tensor:
            is_listed_BN = cold_N.repeat(len(batch.users_B), 1)
            for row, items_W, _ in self._lists(batch, ranking, width=width):
                is_listed_BN[row, items_W] = True
            return dense(batch).masked_fill(~is_listed_BN, -torch.inf)

        return score

    def _lists(self, batch: ValidationBatch, ranking: Ranking, *, width: int) -> _Lists:
        """(row, items, log-probabilities) of each row with a target in the ranking, whose candidates are
        written without those of the history."""
        key = ranking.name, width, batch.users_B[0]
        if key not in self._kept:
            self._kept[key] = list(self._written(batch, ranking, width=width))
        return self._kept[key]

    def _written(self, batch: ValidationBatch, ranking: Ranking, *, width: int) -> Iterator[_List]:
        wanted_P = torch.from_numpy(ranking.targets_N)[batch.target_item_P]
        rows_R = torch.unique(batch.target_row_P[wanted_P])
        if not len(rows_R):
            return
        allowed_BN = torch.from_numpy(ranking.candidates_N).repeat(len(batch.users_B), 1)
        if not ranking.with_seen:
            allowed_BN[batch.excluded_row_X, batch.excluded_item_X] = False
        query_RX = self.inputs.queries(batch)[rows_R]
        found = beam_search(self.decoder, self.trie, query_RX, allowed_BN[rows_R], width=width)
        for row, items_W, scores_W in zip(rows_R.tolist(), *found, strict=True):
            is_there_W = scores_W > -torch.inf
            yield row, items_W[is_there_W], scores_W[is_there_W]


def fitted_generative(
    inputs: Inputs,
    dataset: Dataset,
    split: ColdSplit,
    config: Config,
    *,
    popularity_N: NDArray[np.float64],
    kept: Path,
) -> Generative:
    """Ids from the warm items, and the decoder, trained unless `kept` has it."""
    ids = SemanticIds.of(
        inputs.quantised.numpy(),
        fitted_on_N=split.warm_N,
        popularity_N=popularity_N,
        seed=config.training.seed,
    )
    decoder = Decoder(ids, seed=config.training.seed)
    if kept.is_file():
        decoder.load_state_dict(torch.load(kept, weights_only=True))
    else:
        losses = fit_decoder(
            decoder,
            next_items(inputs, dataset, split, config),
            torch.from_numpy(ids.codes_NL),
            Trie.of(ids.codes_NL, shown_N=split.warm_N),
            seed=config.training.seed,
        )
        log("decoder: loss " + ", ".join(f"{one:.3f}" for one in losses))
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_torch(decoder.state_dict(), kept)
    shown = Trie.of(ids.codes_NL, shown_N=split.warm_N | split.cold_N)
    return Generative(inputs, decoder.eval(), shown)
