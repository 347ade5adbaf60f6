"""Surrogates that break the contract in one way each."""

import os
import time

import numpy as np


class Base:
    def fit(self, X, Y, Yvar=None):
        self.mean, self.std, self.m = Y.mean(axis=0), Y.std(axis=0) + 0.1, Y.shape[1]
        return self

    def predict(self, X):
        return np.tile(self.mean, (len(X), 1)), np.tile(self.std, (len(X), 1))


class Raises(Base):
    def fit(self, X, Y, Yvar=None):
        raise KeyError("boom")


class NotFinite(Base):
    def predict(self, X):
        mean, std = super().predict(X)
        mean[0] = np.nan
        return mean, std


class WrongShape(Base):
    def predict(self, X):
        mean, std = super().predict(X)
        return mean.T, std.T


class NegativeStd(Base):
    def predict(self, X):
        mean, std = super().predict(X)
        return mean, -std


class Mutates(Base):
    def fit(self, X, Y, Yvar=None):
        Y -= Y.mean()
        return super().fit(X, Y)


class Hangs(Base):
    def fit(self, X, Y, Yvar=None):
        while True:
            time.sleep(0.1)


class Dies(Base):
    def fit(self, X, Y, Yvar=None):
        os._exit(3)


class Undetermined(Base):
    def predict(self, X):
        mean, std = super().predict(X)
        return mean + np.frombuffer(os.urandom(8), dtype=np.uint64)[0] / 2**64, std


class GlobalSeed(Base):
    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, Y, Yvar=None):
        super().fit(X, Y)
        self.mean = self.mean + np.random.normal()  # noqa: NPY002 - this is what it does wrong
        return self


class Leaks(Base):
    seen = 0

    def fit(self, X, Y, Yvar=None):
        super().fit(X, Y)
        self.seen = self.seen + len(X)
        self.mean = self.mean + self.seen
        return self


class ZeroStd(Base):
    def predict(self, X):
        mean, std = super().predict(X)
        return mean, np.zeros_like(std)
