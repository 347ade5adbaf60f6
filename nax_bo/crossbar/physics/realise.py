"""From target conductances to those of one manufactured, programmed, aged chip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from nax_bo.crossbar.physics.drift import drift
from nax_bo.crossbar.physics.faults import stick
from nax_bo.crossbar.physics.programming import normal_like, program
from nax_bo.crossbar.physics.read_noise import read_sigma
from nax_bo.hardware.chip import Conditions
from nax_bo.hardware.chip.devices import Device


@dataclass(frozen=True, slots=True)
class Realised:
    """Cells of one layer as they are read.

    Attributes:
        g_s: Conductances now, siemens, shape of the targets.
        g_programmed_s: Conductances after programming and faults, before drift: what read noise refers to.
    """

    g_s: Tensor
    g_programmed_s: Tensor


def realise(g_target_s: Tensor, device: Device, generator: Generator, conditions: Conditions) -> Realised:
    """Program, age and break the cells of one layer.

    Programming noise, drift, faults and slow fluctuations draw from separate streams derived from ``generator``:
    switching one of them off or moving in time leaves the draws of the others as they were (common random numbers).
    Stuck cells neither drift nor fluctuate. IR drop comes after, in :mod:`nax_bo.crossbar.physics.ir_drop`; fast read
    noise at every read, in :mod:`nax_bo.crossbar.physics.read_noise`. Temperature is not modelled: no shipped device
    has a cited coefficient.

    Args:
        g_target_s: Target conductances of all cells of the layer, siemens, any shape.
        device: Cell technology.
        generator: Source of all randomness; four numbers are taken from it.
        conditions: Time, and which effects are simulated.

    Raises:
        InputError: NaN, negative or no conductances; negative time.
    """
    streams = _child_generators(generator, 4)
    g = g_target_s
    if conditions.programming_noise:
        g = program(g, device, streams[0], conditions.time_s, conditions.variation_scale)
    g_now = drift(g, device, conditions.time_s, streams[1], g_target_s)
    if conditions.read_noise:
        slow = read_sigma(g_now, device, conditions.time_s, g, "slow")
        if bool(slow.any()):
            g_now = (g_now + slow * normal_like(g_now, streams[3])).clamp(min=0)
    if conditions.faults:
        state = streams[2].get_state()
        g = stick(g, device, streams[2])
        g_now = stick(g_now, device, streams[2].set_state(state))
    return Realised(g_now, g)


def _child_generators(generator: Generator, count: int) -> list[Generator]:
    seeds = torch.randint(2**62, (count,), generator=generator, device=generator.device).tolist()
    return [Generator(generator.device).manual_seed(seed) for seed in seeds]
