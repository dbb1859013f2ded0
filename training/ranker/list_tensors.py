"""Lists in flat arrays, and the ranker's loss over some of them.

Shapes: G lists, C candidates of all of them, F features, K outcomes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from models.ranker import RankerNetwork
from models.ranking_loss import capped_listwise_softmax, representative_cross_entropy
from training.ranker.lists import RankedList


class ListTensors:
    """Lists one after the other, so that a batch of any of them needs no padding."""

    def __init__(self, lists: Sequence[RankedList], *, outcome_weights: Sequence[float] = ()) -> None:
        """`outcome_weights` (K,): how much the loss of each outcome counts beside that of the score."""
        self.features = torch.from_numpy(np.concatenate([one.features for one in lists]))
        self._relevant = torch.from_numpy(np.concatenate([one.relevant for one in lists])).float()
        self._log_weight = torch.from_numpy(np.concatenate([one.log_weight for one in lists]))
        self._sizes = torch.tensor([len(one.relevant) for one in lists])
        self._weights = torch.tensor([one.weight for one in lists])
        self._starts = self._sizes.cumsum(0) - self._sizes
        self._outcome_weights = outcome_weights
        if outcome_weights:
            labels = [one.outcomes for one in lists if one.outcomes is not None]
            self._outcomes = torch.from_numpy(np.concatenate(labels)).float()
            of_list = torch.repeat_interleave(self._weights, self._sizes)
            had_K = (self._outcomes * of_list[:, None]).sum(dim=0)
            self._usual_K = (had_K / len(lists)).clamp(min=1 / len(lists)).tolist()

    def weight(self, lists_G: Tensor) -> float:
        """The summed weight of some lists."""
        return float(self._weights[lists_G].sum())

    def __len__(self) -> int:
        return len(self._sizes)

    def loss(self, network: RankerNetwork, lists_G: Tensor, *, places: int) -> Tensor:
        """The listwise loss of the score; with outcomes, the weighted mean of it and of the outcomes'.

        An outcome has the mean of a listwise loss on log sigmoid(logit) and of binary cross-entropy: true
        probabilities are the best of both, so that order does not cost calibration (Bai et al. 2023,
        arXiv:2211.01494).
        """
        sizes_G = self._sizes[lists_G]
        list_C = torch.repeat_interleave(torch.arange(len(lists_G)), sizes_G)
        first_G = sizes_G.cumsum(0) - sizes_G
        rows_C = self._starts[lists_G][list_C] + torch.arange(len(list_C)) - first_G[list_C]
        weights_G, log_weight_C = self._weights[lists_G], self._log_weight[rows_C]
        if not self._outcome_weights:
            return capped_listwise_softmax(
                network(self.features[rows_C]),
                self._relevant[rows_C],
                list_C,
                list_weight_G=weights_G,
                places=places,
                log_weight_C=log_weight_C,
            )

        def listwise(scores_C: Tensor, relevant_C: Tensor) -> Tensor:
            """Over the lists in which something is relevant."""
            has_any_G = torch.zeros(len(lists_G)).index_add(0, list_C, relevant_C) > 0
            if not has_any_G.any():
                return scores_C.sum() * 0
            return capped_listwise_softmax(
                scores_C,
                relevant_C,
                list_C,
                list_weight_G=weights_G * has_any_G,
                places=places,
                log_weight_C=log_weight_C,
            )

        logits_CK = network.logits(self.features[rows_C])
        total = listwise(logits_CK[:, 0], self._relevant[rows_C])
        for place, weight in enumerate(self._outcome_weights):
            logits_C, had_C = logits_CK[:, 1 + place], self._outcomes[rows_C, place]
            entropy = representative_cross_entropy(
                logits_C,
                had_C,
                list_weight_C=weights_G[list_C],
                log_weight_C=log_weight_C,
                num_usual=self._usual_K[place] * len(lists_G),
            )
            total = total + weight * (listwise(logsigmoid(logits_C), had_C) + entropy) / 2
        return total / (1 + sum(self._outcome_weights))
