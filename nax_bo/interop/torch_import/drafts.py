"""Layers while a model is being recorded: what reads what, what folds into what, what nothing reads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nax_bo.network.spec import INPUT, STATIC_OPS, LayerSpec, NetworkSpec, Op, Shape

IMAGE = -1
"""Source of the network's input."""

_ANY_SHAPE = ("elementwise", "reshape", "matmul", "batchnorm")
_READS_ALONE = ("conv", "linear", "conv_transpose")


@dataclass
class Draft:
    """A layer to be.

    Attributes:
        name: Name of the layer; made unique when the network is finished.
        op: As in :class:`~nax_bo.network.LayerSpec`, or ``batchnorm``, which is folded or becomes element-wise.
        sources: What it reads.
        in_shape: How it sees its first input; a batch norm's begins with the channels that it scales.
        out_shape: Of its output.
        parameters: Parameters (by ``id``) that it is the first to read.
        settings: Further fields of the layer.
    """

    name: str
    op: str
    sources: list[int]
    in_shape: Shape
    out_shape: Shape
    parameters: frozenset[int] = frozenset()
    settings: dict[str, Any] = field(default_factory=dict)


class Drafts:
    """All layers of a network in the order in which they are computed."""

    def __init__(self, input_shape: Shape, sizes: dict[int, int]) -> None:
        self.input_shape = input_shape
        self._sizes = sizes  # elements of each parameter
        self._drafts: list[Draft] = []
        self._charged: set[int] = set()

    def add(self, draft: Draft) -> int:
        """Append a layer; its index. Parameters that an earlier layer has read are not its own."""
        draft.parameters -= self._charged
        self._charged |= draft.parameters
        self._drafts.append(draft)
        return len(self._drafts) - 1

    def shape(self, source: int) -> Shape:
        """Output shape of a layer, or the image's."""
        return self.input_shape if source == IMAGE else self._drafts[source].out_shape

    def finish(self, name: str, output: int) -> tuple[NetworkSpec, frozenset[int]]:
        """The network whose result is the layer ``output``, and the parameters that it reads."""
        kept = self._needed(output)
        folded = self._fold(kept, output)
        layers: list[LayerSpec] = []
        names: dict[int, str] = {IMAGE: INPUT}
        static = {self._drafts[i].name for i in kept if self._drafts[i].op in STATIC_OPS}
        taken = Counter({INPUT: 1} | dict.fromkeys(static, 1))
        called_before: set[str] = set()

        def called(label: str) -> str:
            taken[label] += 1
            unique = label if taken[label] == 1 else f"{label}#{taken[label]}"
            return unique if unique == label or unique not in taken else called(label)

        for i in sorted(kept - folded.keys()):
            draft = self._drafts[i]
            sources = [names[_root(s, folded)] for s in draft.sources]
            before = self.shape(_root(draft.sources[0], folded))
            if before != draft.in_shape and draft.op not in _ANY_SHAPE:
                flat = draft.in_shape == (math.prod(before), 1, 1)
                adapter = called(f"{draft.name}.{'flatten' if flat else 'reshape'}")
                kind: Op = "flatten" if flat else "reshape"
                layers.append(LayerSpec(adapter, kind, (sources[0],), before, draft.in_shape))
                sources[0] = adapter
            elif draft.op in _ANY_SHAPE and draft.op != "matmul":
                draft.in_shape = before
            settings = dict(draft.settings)
            if draft.op in STATIC_OPS and draft.name not in called_before:
                called_before.add(draft.name)
                label = draft.name
            else:
                label = called(draft.name)
                settings |= {"weights_of": draft.name} if draft.op in STATIC_OPS else {}
            names[i] = label
            op: Any = "elementwise" if draft.op == "batchnorm" else draft.op
            spec = LayerSpec(
                label, op, tuple(dict.fromkeys(sources)), draft.in_shape, draft.out_shape, **settings
            )
            own = sum(self._sizes[p] for p in draft.parameters)
            layers.append(spec if spec.parameters == own else replace(spec, trainable=own))
        read = frozenset().union(*(self._drafts[i].parameters for i in kept))
        return NetworkSpec(name, self.input_shape, tuple(layers)), read

    def as_result(self, source: int, shape: Sequence[int]) -> int:
        """The layer ``source``, or one that brings its output into the form of the result, images x classes, say."""
        found, count = self.shape(source), math.prod(shape)
        wanted = found if len(shape) > 2 and count == math.prod(found) else (count, 1, 1)
        return source if found == wanted else self.add(Draft("output", "reshape", [source], found, wanted))

    def _needed(self, output: int) -> set[int]:
        kept, waiting = set(), [output]
        while waiting:
            i = waiting.pop()
            if i != IMAGE and i not in kept:
                kept.add(i)
                waiting += self._drafts[i].sources
        return kept

    def _fold(self, kept: set[int], output: int) -> dict[int, int]:
        """Batch norms and activations that alone read a product (activations: or a sum), and what they fold into."""
        readers = Counter(s for i in kept for s in set(self._drafts[i].sources))
        readers[output] += 1
        folded: dict[int, int] = {}
        for i in sorted(kept):
            draft = self._drafts[i]
            if draft.op not in ("batchnorm", "activation"):
                continue
            target = _root(draft.sources[0], folded)
            into = None if target == IMAGE else self._drafts[target]
            if into is None or readers[draft.sources[0]] != 1 or "activation" in into.settings:
                continue
            if math.prod(into.out_shape) != math.prod(draft.out_shape):
                continue
            if (
                draft.op == "batchnorm"
                and into.op in _READS_ALONE
                and "norm" not in into.settings
                and draft.in_shape[0] == into.out_shape[0]
            ):
                into.settings["norm"] = "batch"
            elif draft.op == "activation" and into.op in (*_READS_ALONE, "add"):
                into.settings["activation"] = draft.settings["activation"]
            else:
                continue
            into.parameters |= draft.parameters
            folded[i] = target
        return folded


def _root(source: int, folded: dict[int, int]) -> int:
    while source in folded:
        source = folded[source]
    return source
