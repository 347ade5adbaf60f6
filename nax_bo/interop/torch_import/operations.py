"""What torch's operations ask of a chip: the list of those that an import understands.

Products (convolutions, matrix products, attention) are layers of their own and not listed here. What is neither listed
nor element-wise by torch's own tag, nor composed of such, is refused.

Counted per element, in operations of the digital unit as in :attr:`nax_bo.network.LayerSpec.digital_ops`: one for
anything element-wise; softmax three (exponential, sum, division); normalisation four (mean, variance, scale, shift).
Multiplication by a number is free: it belongs to the scale of a quantised map. Views, selections, copies, padding and
concatenations are free too: they are addresses of a buffer.
"""

from __future__ import annotations

FREE = frozenset(
    """
    view _unsafe_view reshape _reshape_alias view_as reshape_as expand expand_as permute transpose t numpy_T movedim
    moveaxis swapaxes swapdims squeeze unsqueeze flatten ravel unflatten contiguous clone alias detach positive to
    _to_copy type_as lift_fresh select slice narrow unbind chunk split split_with_sizes tensor_split hsplit vsplit
    unsafe_chunk unsafe_split unsafe_split_with_sizes index index_select roll flip fliplr flipud rot90 diagonal
    as_strided unfold im2col repeat repeat_interleave tile atleast_1d atleast_2d atleast_3d constant_pad_nd
    reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d _pad_circular dropout feature_dropout
    alpha_dropout feature_alpha_dropout native_dropout channel_shuffle native_channel_shuffle pixel_shuffle
    pixel_unshuffle upsample_nearest1d upsample_nearest2d _upsample_nearest_exact1d _upsample_nearest_exact2d
    broadcast_to resolve_conj resolve_neg
    """.split()  # noqa: SIM905 - a list of thirty lines says no more
)
"""Other arrangements of one map."""

JOINING = frozenset({"cat", "concat", "concatenate", "stack"})
"""Several maps as one; free."""

BLANK = frozenset(
    {"new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided", "new_tensor", "zeros_like", "ones_like",
     "full_like", "empty_like"}
)  # fmt: skip
"""Tensors that take no more than shape and type of their argument."""

ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "hardswish": "hardswish", "hardsigmoid": "hardsigmoid", "gelu": "gelu",
    "silu": "silu", "tanh": "tanh", "sigmoid": "sigmoid",
}  # fmt: skip
"""Operations that a spec names; all others that are element-wise are counted alike."""

PER_OUTPUT = {
    "softmax": 3, "log_softmax": 3, "_softmax": 3, "_log_softmax": 3, "softmin": 3,
    "group_norm": 4, "instance_norm": 4, "native_group_norm": 4, "rms_norm": 3, "layer_norm": 4,
    "glu": 2, "prelu": 1, "cumsum": 1, "rrelu": 1, "logit": 1, "lerp": 2, "addcmul": 2, "addcdiv": 2,
    "softplus": 1, "log_sigmoid": 2, "threshold": 1, "native_layer_norm": 4, "masked_fill": 1, "where": 1,
    "upsample_linear1d": 3, "upsample_bilinear2d": 7, "_upsample_bilinear2d_aa": 7, "upsample_bicubic2d": 31,
    "_upsample_bicubic2d_aa": 31, "grid_sampler": 7, "grid_sampler_2d": 7,
}  # fmt: skip
"""Operations per element of the result. Interpolation: a product and a sum per neighbour, the first sum excepted."""

PER_INPUT = {
    "mean": 1, "sum": 1, "amax": 1, "amin": 1, "max": 1, "min": 1, "aminmax": 2, "prod": 1, "any": 1, "all": 1,
    "argmax": 1, "argmin": 1, "logsumexp": 2, "var": 2, "std": 2, "var_mean": 3, "std_mean": 3, "norm": 2,
    "linalg_vector_norm": 2, "linalg_norm": 2, "adaptive_avg_pool1d": 1, "adaptive_avg_pool2d": 1,
    "adaptive_max_pool1d": 1, "adaptive_max_pool2d": 1, "nansum": 1,
}  # fmt: skip
"""Operations per element of what is reduced."""

POOLS = {
    "max_pool1d": "maxpool", "max_pool2d": "maxpool", "max_pool2d_with_indices": "maxpool",
    "max_pool1d_with_indices": "maxpool", "avg_pool1d": "avgpool", "avg_pool2d": "avgpool",
}  # fmt: skip
"""Windows that move over a map."""

ASKING = frozenset(
    {"_local_scalar_dense", "item", "is_nonzero", "equal", "allclose", "nonzero", "unique", "_unique2"}
)
"""Values of activations in the hands of Python, or that decide on shapes."""
