"""The rung ``inherit``: a network that takes its weights from the super-network of its space, and is not trained."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nax_bo.accuracy.checkpoint import Checkpoint
from nax_bo.accuracy.data import DataSet
from nax_bo.accuracy.fidelity import INHERIT
from nax_bo.accuracy.recipes import recipe as named_recipe
from nax_bo.accuracy.supernet.family import Family
from nax_bo.accuracy.supernet.kept import KeptNetwork
from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.accuracy.supernet.training import train_shared
from nax_bo.hardware.chip import Conditions

_IDENTIFYING = 16
"""Designs whose networks and chips stand for how the space is built."""


def super_network(
    family: Family,
    data: DataSet,
    *,
    recipe: str,
    seed: int,
    conditions: Conditions,
    folder: Path | None,
    timeout_s: float = float("inf"),
) -> SharedNetwork:
    """The trained super-network of a space: as kept in ``folder``, else trained now and kept there.

    Args:
        family: The space.
        data: Images to train on.
        recipe: How networks learn (:mod:`nax_bo.accuracy.recipes`).
        seed: Of initial weights, batches, designs and noise.
        conditions: Non-idealities.
        folder: Where super-networks, and checkpoints of their training, are kept; ``None``: nowhere.
        timeout_s: When it gives up.

    Raises:
        EvaluationError: Its training diverged, or time ran out.
        InputError: The networks of the space cannot share weights.
    """
    networks = family.networks()
    learning = named_recipe(recipe, INHERIT.recipe, networks[0])
    designs = family.space.designs(family.space.sample(min(_IDENTIFYING, family.space.size), 0))
    identity: dict[str, Any] = {
        "space": family.space.to_json(),
        "networks": [network.to_dict() for network in networks],
        "chips": [family.decode(design)[1].to_dict() for design in designs],
        "data": data.fingerprint,
        "recipe": asdict(learning),
        "seed": seed,
        "conditions": asdict(conditions),
        "versions": [version("naxbo"), torch.__version__],
    }

    def train(left_s: float) -> SharedNetwork:
        checkpoint = Checkpoint(folder, identity) if folder else None
        return train_shared(
            family,
            data,
            recipe=learning,
            seed=seed,
            conditions=conditions,
            timeout_s=left_s,
            checkpoint=checkpoint,
        )

    if folder is None:
        return train(timeout_s)
    return KeptNetwork(folder, identity).get(SharedNetwork(networks), train, timeout_s)
