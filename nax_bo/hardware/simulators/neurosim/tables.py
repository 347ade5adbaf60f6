"""Read configurations and layers from the rows of reference tables (column names as in `NeuroSimConfig`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nax_bo.errors import DataError
from nax_bo.hardware.simulators.neurosim.config import V13, NeuroSimConfig, NeuroSimLayer, Quirks


def config_of_row(row: Mapping[str, str], quirks: Quirks = V13) -> NeuroSimConfig:
    """The chip that a table row describes; ``adc_levels`` stands in for missing ``adc_bits``, empty cells for defaults.

    Raises:
        DataError: if a cell that must be a number is not one.
    """
    texts = {
        name: row[name] for name in ("device", "adc_type", "roadmap", "mapping", "dataflow") if row.get(name)
    }
    if row.get("global_buffer_type"):
        texts["global_buffer_type"] = row["global_buffer_type"]
    counts = {
        name: _whole(row, name)
        for name in (
            "weight_bits",
            "input_bits",
            "bits_per_cell",
            "xbar_rows_cols",
            "col_mux",
            "adc_bits",
            "tech_node_nm",
            "pipeline_speedup",
            "max_global_bus_width",
            "tile_buffer_core_dim",
            "rows_parallel",
        )
        if row.get(name)
    }
    if "adc_bits" not in counts and row.get("adc_levels"):
        counts["adc_bits"] = (_whole(row, "adc_levels") - 1).bit_length()
    numbers = {
        name: _number(row, name)
        for name in ("feature_size_nm", "r_on_ohm", "r_off_ohm", "read_voltage_v", "temp_k")
        if row.get(name)
    }
    return NeuroSimConfig(**texts, **counts, **numbers, quirks=quirks)  # type: ignore[arg-type]


def layer_of_row(
    row: Mapping[str, str], zero_border: int | None = None, signed_input: bool | None = None
) -> NeuroSimLayer:
    """The layer that a table row describes.

    Raises:
        DataError: if a size is missing or not a number.
    """
    return NeuroSimLayer(
        in_h=_whole(row, "in_h"),
        in_w=_whole(row, "in_w"),
        c_in=_whole(row, "c_in"),
        k_h=_whole(row, "k_h"),
        k_w=_whole(row, "k_w"),
        c_out=_whole(row, "c_out"),
        maxpool_after=_whole(row, "maxpool_after") > 0 if row.get("maxpool_after") else False,
        stride=_whole(row, "stride") if row.get("stride") else 1,
        zero_border=zero_border,
        signed_input=signed_input,
    )


def network_of_rows(rows: Sequence[Mapping[str, str]]) -> tuple[NeuroSimLayer, ...]:
    """The layers of a network, in the order of ``layer_index``."""
    return tuple(layer_of_row(row) for row in sorted(rows, key=lambda row: _whole(row, "layer_index")))


def _number(row: Mapping[str, str], name: str) -> float:
    try:
        return float(row[name])
    except (KeyError, ValueError) as ex:
        raise DataError(
            f"column {name} holds {row.get(name)!r}, not a number", "check the table's header and cells"
        ) from ex


def _whole(row: Mapping[str, str], name: str) -> int:
    value = _number(row, name)
    if value != int(value):
        raise DataError(f"column {name} holds {row[name]!r}, not a whole number", "check the table's cells")
    return int(value)
