"""Folds: what a cheap classifier says of pictures that it has not learnt from, on the features of a net."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

STRENGTH = 0.05  # of the weights against their penalty; wrong labels are learnt by heart with more
ITERATIONS = 200


def out_of_sample(
    looks: NDArray[np.float32], ids: NDArray[np.int64], groups: Sequence[str], *, folds: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score each picture by a logistic regression that has learnt from the other groups alone.

    Args:
        looks: (N, D) features.
        ids: (N,) class ids, 0 to K - 1.
        groups: (N,) pictures of one group stay together, because they are alike.
        folds: how many times it learns; there are fewer if no class has as many groups.

    Returns:
        Scores (N, K) whose rows sum to 1, and which pictures (N,) could be judged: those of whose class other
        groups were there to learn from.
    """
    count = int(ids.max()) + 1
    scores, judged = np.zeros((len(ids), count)), np.zeros(len(ids), np.bool_)
    owners = dict(zip(groups, ids))
    most = int(np.bincount(list(owners.values())).max())
    if min(folds, most) < 2:
        return scores, judged
    split = StratifiedGroupKFold(min(folds, most), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer pictures than folds, and of few iterations
        for train, rest in split.split(looks, ids, groups):
            known = np.unique(ids[train])
            if len(known) < 2:
                continue
            net = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=ITERATIONS))
            net.fit(looks[train], ids[train])
            scores[np.ix_(rest, known)] = net.predict_proba(looks[rest])
            judged[rest] = np.isin(ids[rest], known)
    return scores, judged
