"""A surrogate of your own: a random forest whose trees give the spread.

    naxbo surrogates check examples/my_forest.py:Forest
    naxbo optimize --surrogate examples/my_forest.py:Forest,n_trees=200 --budget 40

See how well it predicts: python examples/my_forest.py
"""

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor


class Forest:
    """Mean and disagreement of extremely randomised trees."""

    def __init__(self, n_trees=200, seed=0):
        self.n_trees, self.seed = n_trees, seed

    def fit(self, X, Y, Yvar=None):
        """Learn from ``X: n x d`` and ``Y: n x m``."""
        forest = ExtraTreesRegressor(self.n_trees, min_samples_leaf=2, random_state=self.seed)
        self.forest = forest.fit(np.nan_to_num(X), Y if Y.shape[1] > 1 else Y[:, 0])
        return self

    def predict(self, X):
        """Mean and standard deviation, each ``n x m``."""
        votes = np.array(
            [tree.predict(np.nan_to_num(X)).reshape(len(X), -1) for tree in self.forest.estimators_]
        )
        return votes.mean(axis=0), votes.std(axis=0) + 1e-6


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (80, 6)) / 3
    Y = (X[:, :1] - X[:, 1:2]) ** 2 + X[:, 2:3]
    mean, _ = Forest().fit(X[:60], Y[:60]).predict(X[60:])
    print(f"R2 on unseen designs: {1 - ((mean - Y[60:]) ** 2).mean() / Y[60:].var():.2f}")
