"""k-means over customers that starts where the last run ended. Shapes: P people, F numbers, K clusters."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq
from scipy.spatial.distance import cdist

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]

SEED: Final = 0
FROM, TO = 3, 8
"""Numbers of clusters that are tried"""

TRIED: Final = 5_000
"""People on whom the numbers of clusters are tried"""

SAMPLE: Final = 1_500
"""Those of them whose silhouettes are compared"""

STARTS: Final = 3
MAX_STEPS: Final = 100
STILL: Final = 1e-6
"""A step that moves no centroid further than this is the last."""


def nearest(data: Matrix, centroids: Matrix) -> Codes:
    """(P,) the nearest centroid of each."""
    codes, _ = vq(data, centroids, check_finite=False)
    return np.asarray(codes, np.int64)


def settled(data: Matrix, centroids: Matrix) -> Matrix:
    """Lloyd's steps from these centroids until they stand still. A centroid without people stays where it
    is."""
    for _ in range(MAX_STEPS):
        codes = nearest(data, centroids)
        counts = np.bincount(codes, minlength=len(centroids))
        sums = np.stack(
            [np.bincount(codes, weights=column, minlength=len(centroids)) for column in data.T], axis=1
        )
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids)
        distance = np.abs(moved - centroids).max()
        centroids = moved
        if distance < STILL:
            break
    return centroids


def fresh(data: Matrix, num_clusters: int) -> Matrix:
    """(K, F) the best of a few k-means++ starts (Arthur & Vassilvitskii 2007), settled. Deterministic. K is
    `num_clusters`, or as many as there are people who differ."""
    different = np.unique(data, axis=0)
    if len(different) <= num_clusters:
        return different
    best, least = data[:num_clusters], np.inf
    for start in range(STARTS):
        rough, _ = kmeans2(data, num_clusters, iter=5, minit="++", seed=SEED + start, missing="warn")
        centroids = settled(data, np.asarray(rough))
        _, distances = vq(data, centroids, check_finite=False)
        inertia = float(np.square(distances).sum())
        if inertia < least:
            best, least = centroids, inertia
    return best


def best_number(data: Matrix, *, smallest: int) -> int:
    """The number of clusters with the highest mean silhouette (Rousseeuw 1987), of those whose smallest
    cluster has `smallest` people; else the lowest that is tried."""
    least_share = smallest / len(data)
    data = _thinned(data, TRIED)
    sample, smallest = _thinned(data, SAMPLE), int(least_share * len(data))
    distances = cdist(sample, sample)
    best, highest = FROM, -np.inf
    for number in range(FROM, TO + 1):
        if number * smallest > len(data):
            break
        centroids = fresh(data, number)
        if np.bincount(nearest(data, centroids), minlength=len(centroids)).min() < smallest:
            continue
        value = silhouette(distances, nearest(sample, centroids))
        if value > highest:
            best, highest = number, value
    return best


def _thinned(data: Matrix, count: int) -> Matrix:
    """At most `count` of the rows, evenly."""
    return data[np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64)]


def silhouette(distances: Matrix, codes: Codes) -> float:
    """The mean over people of (b - a) / max(a, b): a is the mean distance to the own cluster, b to the next
    one. `distances` (P, P); a person alone in a cluster counts 0."""
    clusters, members = np.unique(codes, return_inverse=True)
    if len(clusters) < 2:
        return 0.0
    counts = np.bincount(members)
    sums = np.stack([distances[:, members == one].sum(axis=1) for one in range(len(clusters))], axis=1)
    rows = np.arange(len(codes))
    own = sums[rows, members] / np.maximum(counts[members] - 1, 1)
    others = sums / counts
    others[rows, members] = np.inf
    other = others.min(axis=1)
    found = np.where(counts[members] > 1, (other - own) / np.maximum(np.maximum(own, other), 1e-12), 0.0)
    return float(found.mean())
