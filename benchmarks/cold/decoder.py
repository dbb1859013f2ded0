"""A small decoder that writes semantic ids, and the beam search that lets it write only what may be shown.

p(item | user) = p(c1 | q) · p(c2 | q, c1) · …, where q is what a frozen encoder says of the user. A code's
vector is both what the decoder reads of the prefix and what the next code is compared with, and begins as the
centroid that the code stands for: so the untrained decoder is the coarse dot product, code by code.

A code is compared with those that exist after its prefix. In training those are the codes of warm items: the
decoder never learns that the id of a cold item is not written, which is what TIGER's does (Yang et al. 2024,
arXiv:2411.18814, find next to no cold item among what it writes).

Shape suffixes: B users of a batch, K codes of a level, N items, P pairs of a state and the next item, S
states, W places of the beam, X width of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cold.semantic_ids import SemanticIds, Trie

_HIDDEN: Final = 128
_DROPOUT: Final = 0.2
_SCALE: Final = 10.0
"""Of the first dot products of vectors of length 1: a temperature of 0.1"""
_EPOCHS, _PATIENCE, _BATCH = 8, 2, 1024
_MAX_PAIRS, _MAX_JUDGED = 80_000, 10_000
"""Of an epoch, and of what chooses between epochs"""
_LEARNING_RATE, _WEIGHT_DECAY = 2e-3, 1e-2


class Decoder(nn.Module):
    """One network of one hidden layer a depth, over the query and the prefix. Shapes: H hidden units.

    What a network reads of a code and what it says of one are small tables, so that a place of the beam costs
    H · K multiplications."""

    def __init__(self, ids: SemanticIds, *, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        width = ids.centroids[0].shape[1]
        last = torch.zeros(int(ids.codes_NL[:, -1].max()) + 1, width)
        tables = [*(torch.from_numpy(one) for one in ids.centroids), last]
        self.codes = nn.ParameterList(nn.Parameter(one.clone()) for one in tables)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(len(one))) for one in tables)
        self.log_scales = nn.Parameter(torch.full((len(tables),), _SCALE).log())
        self.dropout = nn.Dropout(_DROPOUT)
        self.reads_query = nn.ModuleList(nn.Linear(width, _HIDDEN) for _ in tables)
        self.reads_prefix = nn.ModuleList(nn.Linear(width, _HIDDEN, bias=False) for _ in tables)
        self.writes = nn.ModuleList(nn.Linear(_HIDDEN, width, bias=False) for _ in tables)
        for parameter in self.writes.parameters():
            nn.init.zeros_(parameter)

    def logits(self, query_BX: Tensor, prefix: Sequence[Tensor], *, depth: int) -> Tensor:
        """Queries, and the codes so far of each place, each (B, W) → every next code (B, W, K). Without codes
        so far there is one place."""
        hidden_BWH = self.reads_query[depth](self.dropout(query_BX))[:, None]
        for table_KX, code_BW in zip(self.codes, prefix, strict=False):
            hidden_BWH = hidden_BWH + self.reads_prefix[depth](table_KX)[code_BW]
        next_KX = self.codes[depth]
        says_KH = next_KX @ self.writes[depth].weight
        direct_BWK = (query_BX @ next_KX.T)[:, None]
        changed_BWK = direct_BWK + self.dropout(hidden_BWH.relu()) @ says_KH.T
        found_BWK: Tensor = changed_BWK * self.log_scales[depth].exp() + self.biases[depth]
        return found_BWK


@dataclass(frozen=True)
class NextItems:
    """What the decoder learns from: a query at each moment, and the items that came next."""

    query_SX: Tensor
    state_P: Tensor
    item_P: Tensor


def fit_decoder(
    decoder: Decoder, taught: NextItems, codes_NL: Tensor, trie: Trie, *, seed: int
) -> list[float]:
    """Train it in place, by cross-entropy. `trie` has the warm items. A tenth of the moments chooses the
    epoch. Returns the loss on those moments, before training and after each epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    is_judge_S = torch.rand(len(taught.query_SX), generator=generator) < 0.1
    judged_P = torch.nonzero(is_judge_S[taught.state_P]).squeeze(1)
    judged_P = judged_P[torch.randperm(len(judged_P), generator=generator)[:_MAX_JUDGED]]
    taught_P = torch.nonzero(~is_judge_S[taught.state_P]).squeeze(1)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    losses = [_judged(decoder, taught, judged_P, codes_NL, trie)]
    best = {name: value.clone() for name, value in decoder.state_dict().items()}
    for _ in range(_EPOCHS):
        decoder.train()
        drawn_P = taught_P[torch.randperm(len(taught_P), generator=generator)[:_MAX_PAIRS]]
        for pairs_P in torch.split(drawn_P, _BATCH):
            loss = next_item_loss(decoder, taught, pairs_P, codes_NL, trie)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        losses.append(_judged(decoder, taught, judged_P, codes_NL, trie))
        if losses[-1] == min(losses):
            best = {name: value.clone() for name, value in decoder.state_dict().items()}
        elif min(losses) not in losses[-_PATIENCE:]:
            break
    decoder.load_state_dict(best)
    decoder.eval()
    return losses


def next_item_loss(
    decoder: Decoder, taught: NextItems, pairs_P: Tensor, codes_NL: Tensor, trie: Trie
) -> Tensor:
    """Mean of -log p(item | query) over the pairs, among the ids of `trie`."""
    query_PX = taught.query_SX[taught.state_P[pairs_P]]
    item_P = taught.item_P[pairs_P]
    codes_PL = codes_NL[item_P]
    total = query_PX.new_zeros(())
    for depth in range(trie.depth):
        prefix = codes_PL[:, :depth, None].unbind(1)
        logits_PK = decoder.logits(query_PX, prefix, depth=depth).squeeze(1)
        exists_PK = trie.children[depth][trie.node_of_item[depth][item_P]] >= 0
        logits_PK = logits_PK[:, : exists_PK.shape[1]].masked_fill(~exists_PK, -torch.inf)
        total = total + F.cross_entropy(logits_PK, codes_PL[:, depth])
    return total


@torch.no_grad()
def _judged(decoder: Decoder, taught: NextItems, judged_P: Tensor, codes_NL: Tensor, trie: Trie) -> float:
    decoder.eval()
    parts = [
        float(next_item_loss(decoder, taught, pairs_P, codes_NL, trie)) * len(pairs_P)
        for pairs_P in torch.split(judged_P, _BATCH)
    ]
    return sum(parts) / max(len(judged_P), 1)


@torch.no_grad()
def beam_search(
    decoder: Decoder, trie: Trie, query_BX: Tensor, allowed_BN: Tensor, *, width: int
) -> tuple[Tensor, Tensor]:
    """(items, log-probabilities), both (B, W), best first: of the ids of `trie` whose item `allowed_BN`
    marks. Where there are fewer, the rest has -inf.

    A prefix is followed only if something allowed lies under it, so no place of the beam is lost on what is
    thrown away later. A probability is among all ids of `trie`, allowed or not.
    """
    open_nodes = trie.open_nodes(allowed_BN)
    node_BW = torch.zeros(len(query_BX), 1, dtype=torch.int64)
    score_BW = torch.zeros(len(query_BX), 1)
    codes: list[Tensor] = []
    for depth in range(trie.depth):
        logits_BWK = decoder.logits(query_BX, codes, depth=depth)
        child_BWK = trie.children[depth][node_BW]
        logits_BWK = logits_BWK[..., : child_BWK.shape[-1]].masked_fill(child_BWK < 0, -torch.inf)
        total_BWK = score_BW[..., None] + logits_BWK.log_softmax(dim=-1)
        flat = child_BWK.flatten(1)
        is_open = open_nodes[depth + 1].gather(1, flat.clamp(min=0)) & (flat >= 0)
        total = total_BWK.flatten(1).masked_fill(~is_open, -torch.inf)
        score_BW, at_BW = total.topk(min(width, total.shape[1]), dim=1)
        node_BW = flat.gather(1, at_BW).clamp(min=0)
        from_BW, code_BW = at_BW // child_BWK.shape[-1], at_BW % child_BWK.shape[-1]
        codes = [*(one.gather(1, from_BW) for one in codes), code_BW]
    return trie.items_M[node_BW], score_BW
