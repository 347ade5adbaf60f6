"""Trained super-networks in a folder: trained once, found again by every worker and by later runs.

A file is named after what decides its content: the networks and chips of the space, the data, the recipe, the
conditions, the seed, the versions. It is written beside and renamed; one that is damaged or of something else is
trained anew. Workers that want the same one take turns on a lock that the kernel frees when its owner ends; where
there are no such locks they train the same weights twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nax_bo.accuracy.supernet.shared import SharedNetwork
from nax_bo.errors import EvaluationError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOOK_EVERY_S = 0.2


class KeptNetwork:
    """The file of one super-network.

    Args:
        folder: Made when the file is written.
        identity: Whatever decides its weights, as JSON values.
    """

    def __init__(self, folder: Path, identity: Any) -> None:
        self.identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"supernet-{self.identity[:24]}.safetensors"

    def get(
        self, untrained: SharedNetwork, train: Callable[[float], SharedNetwork], timeout_s: float
    ) -> SharedNetwork:
        """The kept weights; trained by ``train(seconds left)`` and kept if there are none.

        Args:
            untrained: Network that takes the weights up.
            train: Trains them.
            timeout_s: How long it may take, waiting for another worker's training included.

        Raises:
            EvaluationError: The time is up; or whatever ``train`` raises.
        """
        deadline = monotonic() + timeout_s
        if self._read(untrained):
            return untrained
        with self._turn(deadline):
            if self._read(untrained):  # another worker's
                return untrained
            trained = train(deadline - monotonic())
            self._write(trained)
            return trained

    def _read(self, network: SharedNetwork) -> bool:
        parameters = dict(network.named_parameters())
        try:
            with safe_open(self.path, framework="pt") as file:
                if (file.metadata() or {}).get("identity") != self.identity:
                    return False
                found = {name: file.get_tensor(name) for name in parameters}
        except (OSError, SafetensorError):
            return False
        if any(found[name].shape != own.shape for name, own in parameters.items()):
            return False
        with torch.no_grad():
            for name, own in parameters.items():
                own.copy_(found[name])
        return True

    def _write(self, network: SharedNetwork) -> None:
        """A disk that is full or cannot be written costs the file, not the training."""
        tensors = {name: value.detach().contiguous() for name, value in network.named_parameters()}
        draft = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            save_file(tensors, draft, metadata={"identity": self.identity})
            draft.replace(self.path)
        except (OSError, SafetensorError):
            with suppress(OSError):
                draft.unlink()

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        """One worker at a time, where files can be locked."""
        lock = self.path.with_suffix(".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("a")
        except OSError:
            yield
            return
        with file:
            while fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if monotonic() > deadline:
                        raise EvaluationError(
                            "waiting for another worker to train the super-network took too long",
                            "Raise timeout_s, or use a ladder without inherit.",
                        ) from None
                    sleep(_LOOK_EVERY_S)
                except OSError:  # a file system without locks
                    break
            yield
            with suppress(OSError):
                lock.unlink()
