"""Quality and cost of the surrogates on synthetic mixed problems, all in one process.

    OMP_NUM_THREADS=1 python benchmarks/surrogate_quality.py [--json] [--n 50 --n 200] [--seeds 2]
        [--models gp,botorch] [--problems smooth16]

R2, Kendall tau, negative log density and 95 % coverage are those of 1000 unseen noise-free outcomes. "botorch" is
BoTorch's SingleTaskGP as it comes, on one-hot inputs; it is given the noise variances, as the others are. Every model
is fitted once before it is timed, so that imports do not count.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
from nax_surrogates.diagnostics import diagnose
from nax_surrogates.problems import PROBLEMS, Sample, draw

from nax_bo.surrogate import build
from nax_bo.surrogate.encoding import learn_encoding


def row(name: str, n: int, seeds: int, model: str) -> dict[str, Any]:
    """Mean figures of one surrogate on one problem."""
    figures = []
    for seed in range(seeds):
        train, test = draw(PROBLEMS[name], n, seed), draw(PROBLEMS[name], 1000, 1000 + seed)
        start = time.perf_counter()
        predict = fit_botorch(train) if model == "botorch" else fit_own(model, train, seed)
        fit_s = time.perf_counter() - start
        start = time.perf_counter()
        mean, std = predict(test.X)
        predict_s = time.perf_counter() - start
        d = diagnose(test.truth[:, 0], mean, std)
        figures.append((d.r2, d.tau, d.nll, d.coverage_95, fit_s, predict_s))
    keys = ("r2", "tau", "nll", "coverage_95", "fit_s", "predict_1000_s")
    means = np.mean(figures, axis=0).round(4).tolist()
    return {"problem": name, "n": n, "model": model, **dict(zip(keys, means, strict=True))}


def fit_own(model: str, train: Sample, seed: int) -> Any:
    fitted = build(model, train.columns, seed).fit(train.X, train.Y, train.Yvar)
    return lambda X: tuple(a[:, 0] for a in fitted.predict(X))


def fit_botorch(train: Sample) -> Any:
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    encoding = learn_encoding(train.X, train.columns)
    inputs = (torch.tensor(a) for a in (encoding.transform(train.X), train.Y, train.Yvar))
    model = SingleTaskGP(*inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

    def predict(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            posterior = model.posterior(torch.tensor(encoding.transform(X)))
            return posterior.mean[:, 0].numpy(), posterior.variance[:, 0].sqrt().numpy()

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--n", type=int, action="append", help="training points (default 50 and 200)")
    parser.add_argument("--seeds", type=int, default=2, help="repetitions that are averaged")
    parser.add_argument("--models", default="gp,gbt,blend,gpytorch,botorch")
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    options = parser.parse_args()
    sizes = sorted(options.n or [50, 200])
    models = options.models.split(";" if ";" in options.models else ",")  # a reference may hold commas
    for model in models:
        row(next(iter(PROBLEMS)), 20, 1, model)
    rows = []
    for name in options.problems.split(","):
        for n in sizes:
            for model in models:
                rows.append(row(name, n, options.seeds, model))
                if not options.json:
                    if len(rows) == 1:
                        print("  ".join(f"{key:>13}" for key in rows[0]))
                    print("  ".join(f"{value:>13}" for value in rows[-1].values()), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
