"""``nn.MultiheadAttention`` whose projections stand in crossbars."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nax_bo.crossbar.layers import CrossbarLinear, Hardware, ReadState
from nax_bo.errors import InputError


class CrossbarAttention(nn.MultiheadAttention):
    """The same attention, with the same parameters; products of two activations are computed in floating point.

    ``in_proj`` holds queries, keys and values side by side; where a model attends to something else than what it asks
    from, the same arrays are read once for each input, and the columns of the others are not used. With widths that
    differ there are three: ``q_proj``, ``k_proj``, ``v_proj``. ``out_proj`` is a layer of its own.

    Args:
        attention: What to replace; its parameters are shared, not copied.
        state: Read state of the network.
        hardware: Of each projection, by its name, as :meth:`parts` lists them.
    """

    def __init__(
        self, attention: nn.MultiheadAttention, state: ReadState, hardware: dict[str, Hardware]
    ) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(attention.__dict__)
        self._state = state
        # kept out of the module tree: the parameters stay under the names that they have there
        self._projections = {name: self._projection(name, h) for name, h in hardware.items()}

    @staticmethod
    def parts(attention: nn.MultiheadAttention) -> tuple[str, ...]:
        """Names of the projections."""
        inner = ("in_proj",) if attention._qkv_same_embed_dim else ("q_proj", "k_proj", "v_proj")
        return (*inner, "out_proj")

    @property
    def projections(self) -> dict[str, CrossbarLinear]:
        """The layers that are read, by name."""
        return self._projections

    def _projection(self, name: str, hardware: Hardware) -> CrossbarLinear:
        weight, _ = self._weights(name)
        described = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        return CrossbarLinear(described, hardware, self._state, _Present(self, name))

    def _weights(self, name: str) -> tuple[Tensor, Tensor | None]:
        if name == "out_proj":
            return self.out_proj.weight, self.out_proj.bias
        if name == "in_proj":
            return self.in_proj_weight, self.in_proj_bias
        weight, at = getattr(self, f"{name}_weight"), "qkv".index(name[0]) * self.embed_dim
        bias = None if self.in_proj_bias is None else self.in_proj_bias[at : at + self.embed_dim]
        return weight, bias

    @override
    def train(self, mode: bool = True) -> CrossbarAttention:
        super().train(mode)
        for projection in getattr(self, "_projections", {}).values():
            projection.train(mode)
        return self

    @override
    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        if self._state.mode == "float" and not self.training:
            return super().forward(
                query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal
            )
        if is_causal and attn_mask is None:
            raise InputError(
                "attention is asked to be causal without a mask", "Pass attn_mask too, as torch asks."
            )
        batched, first = query.ndim == 3, self.batch_first
        inputs = {id(x): _batch_first(x, batched, first) for x in (query, key, value)}
        q, k, v = self._project(*(inputs[id(x)] for x in (query, key, value)))
        k, v, mask = self._extended(k, v, _mask(attn_mask, key_padding_mask, self.num_heads, q))
        q, k, v = (x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2) for x in (q, k, v))
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            weights = functional.dropout((scores if mask is None else scores + mask).softmax(-1), p)
            mixed = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v, mask, p)
        out = self._projections["out_proj"](mixed.transpose(1, 2).flatten(2))
        if not batched:
            return out[0], None if weights is None else weights[0]
        return (out if first else out.transpose(0, 1)), weights

    def _project(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        layers = self._projections
        if "in_proj" not in layers:
            return layers["q_proj"](q), layers["k_proj"](k), layers["v_proj"](v)
        read = {id(x): layers["in_proj"](x).chunk(3, -1) for x in {id(x): x for x in (q, k, v)}.values()}
        return read[id(q)][0], read[id(k)][1], read[id(v)][2]

    def _extended(self, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """With the learned and the zero token that ``add_bias_kv`` and ``add_zero_attn`` append."""
        ends = []
        if self.bias_k is not None and self.bias_v is not None:
            ends.append((self.bias_k, self.bias_v))
        if self.add_zero_attn:
            ends.append((k.new_zeros(1, 1, k.shape[-1]), v.new_zeros(1, 1, v.shape[-1])))
        for end_k, end_v in ends:
            k = torch.cat((k, end_k.expand(len(k), 1, -1)), 1)
            v = torch.cat((v, end_v.expand(len(v), 1, -1)), 1)
            mask = None if mask is None else functional.pad(mask, (0, 1))
        return k, v, mask


class _Present:
    """Present weights of one projection."""

    def __init__(self, attention: CrossbarAttention, name: str) -> None:
        self.attention, self.name = attention, name

    def __call__(self) -> tuple[Tensor, Tensor | None]:
        return self.attention._weights(self.name)


def _batch_first(x: Tensor, batched: bool, first: bool) -> Tensor:
    return x[None] if not batched else x if first else x.transpose(0, 1)


def _mask(mask: Tensor | None, padding: Tensor | None, heads: int, q: Tensor) -> Tensor | None:
    """Both masks as one summand of the scores, ``batch x heads x queries x keys`` or what broadcasts to it."""

    def added(m: Tensor) -> Tensor:
        return q.new_zeros(m.shape).masked_fill(m, float("-inf")) if m.dtype == torch.bool else m.to(q.dtype)

    found = None
    if mask is not None:
        found = added(mask)
        found = found.reshape(-1, heads, *found.shape[1:]) if found.ndim == 3 else found
    if padding is not None:
        padded = added(padding if padding.ndim == 2 else padding[None])[:, None, None]
        found = padded if found is None else found + padded
    return found
