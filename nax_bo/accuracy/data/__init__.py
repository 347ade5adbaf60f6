"""Data sets to train and test on; importing this package does not import torch, loading a data set does."""

from nax_bo.accuracy.data.dataset import DataSet, data_set_from_pixels
from nax_bo.accuracy.data.registry import (
    DataSpec,
    Loader,
    LoadOptions,
    data_set_names,
    load,
    parse_data,
    register_data_set,
)

__all__ = [
    "DataSet",
    "DataSpec",
    "LoadOptions",
    "Loader",
    "data_set_from_pixels",
    "data_set_names",
    "load",
    "parse_data",
    "register_data_set",
]
