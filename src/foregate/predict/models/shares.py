"""Exact SHAP shares of a booster's margin by tables: what XGBoost's own TreeSHAP says, several times as fast.

After Yang 2021, "Fast TreeSHAP" (v2): a leaf's shares depend only on which of its path's features a row agrees with, so
they are worked out once for every combination. Here a table holds a small subtree and the path to it together. Its
index is the decisions of its splits, at most six, and a row is explained by one lookup per subtree and feature.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.predict.models.library import xgboost

DEPTH_MAX: Final = 5  # of trees: deeper ones have no tables, XGBoost explains them
ROOT_DEPTH: Final = 3  # where a table's subtree begins: three decisions lead to it, and three are made in it
BITS: Final = 6
ROWS_AT_ONCE: Final = 64  # bounds the memory of a lookup to some 10 MB
ERROR_MAX: Final = 1e-3  # log-odds by which a table may differ from XGBoost's own answer: more, and it is not used

Floats = NDArray[np.float64]
_WEIGHTS: Final = np.array([factorial(s) * factorial(DEPTH_MAX - 1 - s) for s in range(DEPTH_MAX)]) / factorial(
    DEPTH_MAX
)
_SUBSETS: Final = (np.arange(1 << DEPTH_MAX)[:, None] >> np.arange(DEPTH_MAX)) & 1  # (32, 5): who agrees


class _Tree(msgspec.Struct):
    """What XGBoost writes of a tree. `split_conditions` of a leaf (no left child) is its value."""

    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    default_left: list[int]
    sum_hessian: list[float]
    split_type: list[int]


class _Trees(msgspec.Struct):
    trees: list[_Tree]


class _Booster(msgspec.Struct, tag_field="name", tag="gbtree"):
    model: _Trees


class _Learner(msgspec.Struct):
    gradient_booster: _Booster


class _Content(msgspec.Struct):
    learner: _Learner


@dataclass(frozen=True, slots=True)
class _Leaf:
    """`path`: (number of the split in its table's order, whether it is left there, feature, share of the cover)."""

    value: float
    path: list[tuple[int, bool, int, float]]


class Shares:
    """The tables of one booster; 64 numbers of 4 bytes for each feature of each subtree, some 12 KB per tree.

    `of` gives none where they do not fit: trees deeper than five, other boosters. Who only scores needs none.
    """

    def __init__(self, trees: list[_Tree], features: int) -> None:
        self._features = features
        conditions: dict[tuple[int, float, bool], int] = {}
        codes: list[list[int]] = []  # of each table: its conditions, by bit
        columns: list[tuple[int, int, NDArray[np.float32]]] = []  # feature, table, its 64 shares
        for tree in trees:
            for splits, leaves in _tables(tree):
                keys = [_condition(tree, node) for node in splits]
                codes.append([conditions.setdefault(key, len(conditions)) for key in keys])
                columns.extend((feature, len(codes) - 1, shares) for feature, shares in _summed(leaves).items())
        columns.sort(key=lambda column: column[:2])
        self._split = np.array([key[0] for key in conditions], dtype=np.intp)
        self._below = np.array([key[1] for key in conditions], dtype=np.float32)[:, None]
        self._default = np.array([key[2] for key in conditions], dtype=np.bool_)[:, None]
        never = len(conditions)  # a row of zeros stands where a table has fewer splits
        self._codes = np.array([code + [never] * (BITS - len(code)) for code in codes], dtype=np.intp).reshape(-1, BITS)
        self._table = np.array([at for _, at, _ in columns], dtype=np.intp)
        self._shares = np.array([shares for *_, shares in columns], dtype=np.float32).reshape(-1)
        self._first = (np.arange(len(columns)) << BITS)[:, None]
        of = np.array([feature for feature, *_ in columns], dtype=np.intp)
        self._starts = np.flatnonzero(np.diff(of, prepend=-1))
        self._of = of[self._starts]
        self._bias = 0.0

    @classmethod
    def of(cls, booster: Any, features: int) -> "Shares | None":
        """Its tables, or None where they do not fit. They are held against XGBoost's own answer first."""
        try:
            trees = msgspec.json.decode(
                bytes(booster.save_raw("json")), type=_Content
            ).learner.gradient_booster.model.trees
        except msgspec.ValidationError:
            return None  # no plain trees
        if not all(_fits(tree) for tree in trees):
            return None
        tables = cls(trees, features)
        probe = np.stack((np.zeros(features), np.ones(features), np.full(features, np.nan))).astype(np.float32)
        told = booster.predict(xgboost.DMatrix(probe, nthread=1), pred_contribs=True)
        tables._bias = float(told[0, -1])
        return tables if np.abs(tables.explain(probe) - told).max() <= ERROR_MAX else None

    def explain(self, rows: NDArray[np.floating]) -> Floats:
        """(n, F) → (n, F+1): each feature's share of the margin in log-odds, the bias last."""
        told = np.zeros((len(rows), self._features + 1))
        told[:, -1] = self._bias
        values = np.asarray(rows, dtype=np.float32).T
        for at in range(0, len(rows) if len(self._of) else 0, ROWS_AT_ONCE):
            chosen = slice(at, at + ROWS_AT_ONCE)
            shares = self._shares[self._first + self._decided(values[:, chosen])[self._table]]
            told[chosen, self._of] = np.add.reduceat(shares, self._starts, axis=0).T
        return told

    def _decided(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(tables, n): the decisions of each table's splits as bits, 1 for left."""
        of_split = values[self._split]
        left = np.zeros((len(self._split) + 1, values.shape[1]), dtype=np.uint8)
        left[:-1] = (of_split < self._below) | (np.isnan(of_split) & self._default)
        code = np.zeros((len(self._codes), values.shape[1]), dtype=np.uint8)
        for bit in range(BITS):
            code |= left[self._codes[:, bit]] << np.uint8(bit)
        return code


def _condition(tree: _Tree, node: int) -> tuple[int, float, bool]:
    return tree.split_indices[node], tree.split_conditions[node], bool(tree.default_left[node])


def _fits(tree: _Tree) -> bool:
    """Plain splits, every one covered, and no path of more than `DEPTH_MAX`."""
    level = [0]
    for _ in range(DEPTH_MAX + 1):
        splits = [node for node in level if tree.left_children[node] >= 0]
        if any(tree.split_type[node] or not tree.sum_hessian[node] > 0 for node in splits):
            return False
        level = [child[node] for node in splits for child in (tree.left_children, tree.right_children)]
    return not level


def _tables(tree: _Tree) -> Iterator[tuple[list[int], list[_Leaf]]]:
    """The splits of each table, in the order of its bits, and its leaves."""
    open_: list[tuple[int, list[tuple[int, bool]]]] = [(0, [])]
    while open_:
        node, above = open_.pop()
        if tree.left_children[node] >= 0 and len(above) < ROOT_DEPTH:
            open_.append((tree.left_children[node], [*above, (node, True)]))
            open_.append((tree.right_children[node], [*above, (node, False)]))
            continue
        paths = list(_paths(tree, node, above))
        splits = list(dict.fromkeys(split for path, _ in paths for split, _ in path))
        yield splits, [_leaf(tree, leaf, path, splits) for path, leaf in paths]


def _paths(tree: _Tree, node: int, above: list[tuple[int, bool]]) -> Iterator[tuple[list[tuple[int, bool]], int]]:
    """Each leaf below `node`, with (split, whether left) from the root on."""
    if tree.left_children[node] < 0:
        yield above, node
        return
    yield from _paths(tree, tree.left_children[node], [*above, (node, True)])
    yield from _paths(tree, tree.right_children[node], [*above, (node, False)])


def _leaf(tree: _Tree, leaf: int, path: list[tuple[int, bool]], splits: list[int]) -> _Leaf:
    below = [split for split, _ in path[1:]] + [leaf] * bool(path)
    return _Leaf(
        tree.split_conditions[leaf],
        [
            (splits.index(split), left, tree.split_indices[split], tree.sum_hessian[child] / tree.sum_hessian[split])
            for (split, left), child in zip(path, below, strict=True)
        ],
    )


def _summed(leaves: list[_Leaf]) -> dict[int, NDArray[np.float32]]:
    """The shares of each feature by the 64 codes, all leaves together."""
    codes = np.arange(1 << BITS)
    absent = np.ones((len(leaves), DEPTH_MAX))
    agrees = np.ones((len(leaves), DEPTH_MAX, len(codes)), dtype=np.intp)
    players = [list(dict.fromkeys(feature for *_, feature, _ in leaf.path)) for leaf in leaves]
    for number, leaf in enumerate(leaves):
        for bit, left, feature, cover in leaf.path:
            player = players[number].index(feature)
            absent[number, player] *= cover
            agrees[number, player] &= (codes >> bit & 1) == left
    who = (agrees << np.arange(DEPTH_MAX)[:, None]).sum(axis=1)
    shares = _shapley(absent)
    found: dict[int, Floats] = {}
    for number, leaf in enumerate(leaves):
        for player, feature in enumerate(players[number]):
            found[feature] = found.get(feature, 0.0) + leaf.value * shares[number, who[number], player]
    return {feature: shares.astype(np.float32) for feature, shares in found.items()}


def _shapley(absent: Floats) -> Floats:
    """(n, 5) → (n, 32, 5): the Shapley values of each game, by who agrees.

    A coalition is worth the product over all players of 1 (in it, and agrees), 0 (in it, and does not) or `absent` (not
    in it). Who is missing from a path of fewer features (absent 1, agrees) changes nothing for the others.
    """
    asked = absent[:, None, :]
    found = np.empty((len(absent), 1 << DEPTH_MAX, DEPTH_MAX))
    for player in range(DEPTH_MAX):
        sizes = np.zeros(
            (len(absent), 1 << DEPTH_MAX, DEPTH_MAX)
        )  # products of the others, summed by how many are asked
        sizes[..., 0] = 1.0
        for other in range(DEPTH_MAX):
            if other != player:
                joined = sizes[..., :-1] * _SUBSETS[:, other, None]
                sizes *= asked[..., other, None]
                sizes[..., 1:] += joined
        found[..., player] = (_SUBSETS[:, player] - asked[..., player]) * (sizes @ _WEIGHTS)
    return found
