"""The baseline of the benchmark of reviews: logistic regression on hashed character 1-, 2- and 3-grams.

Shapes: M texts, F features.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from features.profiles.due_model import probability

NUM_FEATURES: Final = 2**20
PENALTIES: Final = (3e-6, 1e-6, 3e-7)
"""Of the squared weights, beside the mean log loss; the best on the validation reviews counts."""
_MAX_STEPS: Final = 60
_PRIMES: Final = (1_000_003, 8_191)


def ngram_matrix(texts: list[str]) -> csr_matrix:
    """(M, F) 1 + log of the count of each n-gram, rows of length 1 (no idf: the penalty does its work)."""
    lowered = [text.lower() for text in texts]
    codes = np.frombuffer("".join(lowered).encode("utf-32-le"), np.uint32).astype(np.int64)
    row = np.repeat(np.arange(len(lowered)), [len(text) for text in lowered])
    columns, rows = [codes % NUM_FEATURES], [row]
    hashed = codes
    for length, prime in zip((2, 3), _PRIMES, strict=True):
        count = max(len(codes) - length + 1, 0)
        hashed = (hashed[:count] * prime + codes[length - 1 : length - 1 + count] * 31 + length) % (2**31 - 1)
        inside = row[:count] == row[length - 1 : length - 1 + count]
        columns.append(hashed[inside] % NUM_FEATURES)
        rows.append(row[:count][inside])
    ones = np.ones(sum(map(len, rows)), np.float64)
    found = csr_matrix(
        (ones, (np.concatenate(rows), np.concatenate(columns))), shape=(len(texts), NUM_FEATURES)
    )
    found.data = 1 + np.log(found.data)
    lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    found.data /= np.maximum(np.repeat(lengths, np.diff(found.indptr)), 1e-12)
    return found


def fitted_weights(columns: csr_matrix, labels: NDArray[np.bool_], *, penalty: float) -> NDArray[np.float64]:
    """(F + 1,) weights and, last, the constant: by L-BFGS."""
    turned = columns.T.tocsr()

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = columns @ weights[:-1] + weights[-1]
        fit = float(np.mean(np.logaddexp(0, odds) - odds * labels))
        wrong = (probability(odds) - labels) / len(labels)
        gradient = np.append(turned @ wrong + 2 * penalty * weights[:-1], wrong.sum())
        return fit + penalty * float(weights[:-1] @ weights[:-1]), gradient

    found = minimize(
        loss,
        np.zeros(NUM_FEATURES + 1),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_STEPS, "maxcor": 5},
    )
    weights: NDArray[np.float64] = found.x
    return weights


def log_odds(columns: csr_matrix, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,)"""
    found: NDArray[np.float64] = columns @ weights[:-1] + weights[-1]
    return found


def linear_log_odds(
    texts: tuple[list[str], list[str], list[str]], labels: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Log-odds of the third texts, by the weights fitted on the first with the penalty that is best on the
    second; `labels` are of the first two."""
    train, validation, asked = (ngram_matrix(part) for part in texts)
    best, found = np.inf, np.zeros(len(texts[2]))
    for penalty in PENALTIES:
        weights = fitted_weights(train, labels[0], penalty=penalty)
        odds = log_odds(validation, weights)
        loss = float(np.mean(np.logaddexp(0, odds) - odds * labels[1]))
        if loss < best:
            best, found = loss, log_odds(asked, weights)
    return found
