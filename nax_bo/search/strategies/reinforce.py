"""A recurrent controller that samples designs and learns by REINFORCE: how NACIM searches.

Jiang et al. 2021, doi:10.1109/TC.2020.2991575; its weights of the reward are not public. Sizes and rates are those of
the same group's NAQS (github.com/qinglu0330/NAQS): two LSTM layers of 35, Adam at 0.005, five episodes to an update, a
moving baseline over about 20. A design outside the known limits earns -1 and is not trained. REINFORCE: Williams 1992,
doi:10.1007/BF00992696.

The controller is a function of the log and the seed: what was told is replayed in its order. Replayed work is
remembered, so that a further proposal costs a few episodes.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nax_bo.search.problem import Problem
from nax_bo.search.scale import Array
from nax_bo.search.state import Observation, SearchState, Suggestion
from nax_bo.search.strategies.baselines import initial_suggestion, random_suggestion, suggestion

IndexArray = NDArray[np.int64]

_DRAWS = 20
"""Episodes without a new design within the limits, after which a random one is proposed."""


@dataclass(frozen=True)
class Learning:
    """How the controller learns.

    Attributes:
        width: Cells of each of the two LSTM layers, and length of an embedded choice.
        rate: Step of Adam.
        episodes: Designs to an update.
        memory: Episodes over which the baseline averages.
    """

    width: int = 35
    rate: float = 0.005
    episodes: int = 5
    memory: int = 20


class Reinforce:
    """Proposes what the controller samples next.

    The reward is the mean over the objectives of where a design lies between the worst value of interest (0; the worst
    told until then if the problem names none) and the best told until then (1), in the scale in which hypervolume
    counts it; what breaks limits, or fails, earns -1.
    """

    def __init__(self, learning: Learning | None = None) -> None:
        self.learning = learning or Learning()
        self._agent: _Agent | None = None

    def propose(self, state: SearchState) -> Suggestion | None:
        """A sample that is new and within the known limits."""
        if (first := initial_suggestion(state)) is not None:
            return first
        agent = self._replayed(state)
        rows = [] if state.failures or agent.ready is None else [agent.ready]
        rng = state.rng("reinforce")
        if state.failures:  # when they happened is not in the log: they are learned from last
            agent = deepcopy(agent)
            for failure in state.failures:
                agent.learn(np.array(failure.indices), -1.0)
        for _ in range(_DRAWS):
            row = rows.pop() if rows else agent.controller.sample(rng)
            x = state.problem.completed(row[None])
            if len(state.unseen(x)) and _broken(state.problem, x) <= 0:
                return suggestion(state, x[0], f"sampled by the controller after {agent.episodes} episodes")
        return random_suggestion(state, "the controller samples nothing new, drawn at random")

    def _replayed(self, state: SearchState) -> _Agent:
        """The controller after everything told; from what is remembered if this log goes on from there."""
        agent = self._agent
        if agent is None or agent.problem is not state.problem or agent.seed != state.seed or (
            state.observations[: len(agent.told)] != tuple(agent.told)
        ):  # fmt: skip
            agent = _Agent(state.problem, state.seed, self.learning)
            agent.practise()
        for observation, reward in zip(
            state.observations[len(agent.told) :], _rewards(state)[len(agent.told) :], strict=True
        ):
            agent.told.append(observation)
            agent.known[observation.indices] = float(reward)
            agent.learn(np.array(observation.indices), float(reward))
            agent.practise()
        self._agent = agent
        return agent


@dataclass
class _Agent:
    """The controller while a log is replayed.

    Attributes:
        problem, seed, learning: As of the search.
        told: What it has learned from.
        known: Rewards by design.
        ready: The new design within the limits that its last practice ended with, if it found one.
        episodes: Designs it has learned from, trained or not.
    """

    problem: Problem
    seed: int
    learning: Learning
    told: list[Observation] = field(default_factory=list)
    known: dict[tuple[int, ...], float] = field(default_factory=dict)
    ready: IndexArray | None = None
    episodes: int = 0
    _baseline: float | None = None

    def __post_init__(self) -> None:
        self.controller = Controller(self.problem, self.learning.width, self.seed)
        self._adam = torch.optim.Adam(self.controller.parameters(), lr=self.learning.rate)

    def practise(self) -> None:
        """Sample until a design is new and within the limits; others are learned from without a training."""
        rng = np.random.default_rng([self.seed, len(self.told), 0x4E414349])
        self.ready = None
        for _ in range(_DRAWS):
            row = self.controller.sample(rng)
            x = self.problem.completed(row[None])
            known = self.known.get(tuple(x[0].tolist()))
            if _broken(self.problem, x) > 0:
                self.learn(x[0], -1.0)
            elif known is not None:
                self.learn(x[0], known)
            else:
                self.ready = row
                return

    def learn(self, row: IndexArray, reward: float) -> None:
        """One episode; every few the weights are changed."""
        baseline = reward if self._baseline is None else self._baseline
        self._baseline = baseline + 2.0 / (self.learning.memory + 1.0) * (reward - baseline)
        loss = -(reward - baseline) * self.controller.log_probability(row) / self.learning.episodes
        loss.backward()  # type: ignore[no-untyped-call]
        self.episodes += 1
        if self.episodes % self.learning.episodes == 0:
            self._adam.step()
            self._adam.zero_grad()


class Controller(nn.Module):
    """A distribution over designs: an LSTM that sees each choice made and gives the probabilities of the next.

    Variables that are solved for, and inactive ones, are no choices of it.
    """

    def __init__(self, problem: Problem, width: int, seed: int) -> None:
        super().__init__()
        space = problem.space
        self.space, cards = space, space.cardinalities
        self.offsets = np.concatenate([[0], np.cumsum(cards)])
        self.chosen = np.ones(len(space), dtype=bool)
        if problem.complete is not None:
            self.chosen[problem.hidden] = False
        self._parents = [
            [
                (space.position(c.variable), {space[c.variable].index(v) for v in c.values})
                for c in v.active_when
            ]
            for v in space.variables
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(int(cards.sum()) + 1, width)  # the last one: nothing chosen yet
            self.lstm = nn.LSTM(width, width, num_layers=2)
            self.heads = nn.Linear(width, int(cards.sum()))

    def log_probability(self, row: IndexArray) -> Tensor:
        """Of a design with index vector ``row: d``."""
        made = torch.from_numpy(self.offsets[:-1] + row)
        seen = torch.cat([made.new_tensor([self.offsets[-1]]), made[:-1]])
        outputs, _ = self.lstm(self.embedding(seen))
        logits = self.heads(outputs)
        counts = self.space.active_mask(row[None])[0] & self.chosen
        terms = [
            torch.log_softmax(logits[j, self.offsets[j] : self.offsets[j + 1]], dim=0)[int(row[j])]
            for j in np.flatnonzero(counts)
        ]
        return torch.stack(terms).sum() if terms else logits.sum() * 0.0

    @torch.no_grad()
    def sample(self, rng: np.random.Generator) -> IndexArray:
        """An index vector ``d``."""
        row = np.zeros(len(self.space), dtype=np.int64)
        active = np.zeros(len(self.space), dtype=bool)
        seen, memory = int(self.offsets[-1]), None
        for j, parents in enumerate(self._parents):
            output, memory = self.lstm(self.embedding(torch.tensor([seen])), memory)
            active[j] = all(active[p] and int(row[p]) in allowed for p, allowed in parents)
            if active[j] and self.chosen[j]:
                logits = self.heads(output)[0, self.offsets[j] : self.offsets[j + 1]].double().numpy()
                row[j] = int(np.argmax(logits + rng.gumbel(size=len(logits))))
            seen = int(self.offsets[j] + row[j])
        return row


def _broken(problem: Problem, x: IndexArray) -> float:
    return float(problem.violation(problem.known(x), len(x))[0])


def _rewards(state: SearchState) -> Array:
    """Reward of each observation, ``n``, as it was when it was told."""
    _, y, violation = state.points(state.observations)
    out = np.zeros(len(y))
    for j, objective in enumerate(state.problem.objectives):
        sound = np.where(np.isfinite(y[:, j]), y[:, j], np.nan)
        best = np.fmin.accumulate(sound) if len(y) else sound
        worst = np.fmax.accumulate(sound) if len(y) else sound
        if objective.name in state.problem.reference_point:
            given = float(objective.scales.to_measure(state.problem.reference_point[objective.name]))
            worst = np.full(len(y), given)
        out += (worst - sound) / np.maximum(worst - best, 1e-9) / y.shape[1]
    return np.where(np.isfinite(out) & (violation <= 0), np.clip(out, -1.0, 1.0), -1.0)
