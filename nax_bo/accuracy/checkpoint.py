"""Checkpoints of long trainings: what a killed one needs to go on as if nothing had happened, in one safetensors file.

A checkpoint holds weights, optimiser, noise generators and what wires took away at some step, and the identity of the
training that it belongs to. It is written beside and renamed, so that there is a whole one or none; one of another
training, or a damaged one, is not used. A training that goes on from it on the same device ends with the same bits.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nax_bo.accuracy.hardware_aware import HardwareAwareLayer

EVERY_S = 60.0
"""Seconds of training between two checkpoints: shorter trainings write none."""


@dataclass(frozen=True)
class Progress:
    """Where a training stands: the ``step`` that comes next, and the steps at which wires are still to be measured."""

    step: int
    wires_due: frozenset[int]


class Checkpoint:
    """One training's file in ``folder``.

    Args:
        folder: Made when the first checkpoint is written.
        identity: Whatever decides the training's result, as JSON values.
        every_s: Seconds between two checkpoints.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], every_s: float = EVERY_S) -> None:
        text = json.dumps(identity, sort_keys=True)
        self.identity = hashlib.sha256(text.encode()).hexdigest()
        self.path = folder / f"{self.identity[:24]}.safetensors"
        self.every_s, self._last = every_s, monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return monotonic() - self._last >= self.every_s

    def save(self, model: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
        """Write one; a full disk or a folder that cannot be written costs the checkpoint, not the training."""
        tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in _optimiser_tensors(optimiser).items()}
        for name, layer in _layers(model).items():
            tensors |= {f"measured.{name}.{k}": v for k, v in layer.measured().items()}
            if (generator := layer.layer.training_state.generator) is not None:
                tensors[f"generator.{name}"] = generator.get_state()
        about = {
            "identity": self.identity,
            "step": str(progress.step),
            "wires_due": json.dumps(sorted(progress.wires_due)),
        }
        draft = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, draft, metadata=about)
            draft.replace(self.path)
        except (OSError, SafetensorError):
            with suppress(OSError):
                draft.unlink()
        self._last = monotonic()

    def restore(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress | None:
        """Put the training back to where the checkpoint was written; None, and nothing is changed, without one."""
        found = self._read()
        if found is None:
            return None
        tensors, about = found
        layers = _layers(model)
        try:
            progress = Progress(int(about["step"]), frozenset(json.loads(about["wires_due"])))
            weights = {k: tensors[f"model.{k}"] for k in model.state_dict()}
            state = _optimiser_state(optimiser, tensors)
            streams = {
                n: tensors[f"generator.{n}"] for n, h in layers.items() if h.layer.training_state.generator
            }
        except (KeyError, IndexError, ValueError):
            return None  # of another version
        model.load_state_dict(weights)
        optimiser.load_state_dict(state)
        for name, layer in layers.items():
            start = f"measured.{name}."
            layer.remember({k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)})
            if (generator := layer.layer.training_state.generator) is not None:
                generator.set_state(streams[name])
        return progress

    def remove(self) -> None:
        """Delete the file: the training is done."""
        with suppress(OSError):
            self.path.unlink()

    def _read(self) -> tuple[dict[str, Tensor], dict[str, str]] | None:
        try:
            with safe_open(self.path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("identity") != self.identity:
                    return None
                return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118 (not a mapping)
        except (OSError, SafetensorError):
            return None


def _layers(model: nn.Module) -> dict[str, HardwareAwareLayer]:
    return {name: m for name, m in model.named_modules() if isinstance(m, HardwareAwareLayer)}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimiser.state_dict()["state"]
    return {
        f"{i}.{k}": torch.as_tensor(v)
        for i, values in state.items()
        for k, v in values.items()
        if v is not None
    }


def _optimiser_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".", 2)
            like = parameters[int(index)]
            same = value.shape == like.shape  # then laid out in memory as the parameter is
            state.setdefault(int(index), {})[name] = torch.empty_like(like).copy_(value) if same else value
    return {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
