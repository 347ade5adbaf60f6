"""What a study that has not begun will take: measured on one of its designs, or as it was planned."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nax_bo.accuracy.evaluator import OWN
from nax_bo.cluster import LOCAL
from nax_bo.study.planning.candidate import Candidate, Cut, Images
from nax_bo.study.planning.measuring import run_measurement

if TYPE_CHECKING:
    from nax_bo.study.study import Study


def forecast(study: Study) -> str:
    """In words, for a study without any result whose networks and trainings are naxbo's own and run here; else nothing.

    Takes some seconds where the study was not planned (``--time``): a few training steps and reads of one design, with
    one thread as in a worker, but without the others beside it.
    """
    config = study.config
    if study.trials() or config.accuracy != OWN or config.network:
        return ""
    if planned := study.plan:
        return f"to end in {config.time}: {planned['chosen']}\n{planned['estimate']}"
    if config.executor != LOCAL or study.refused:
        return ""
    import torch

    candidate = Candidate(config, Images.of(config.data), Cut())
    network, chip = candidate.specs
    threads = torch.get_num_threads()
    try:
        cost = run_measurement(
            network.to_dict(), chip.to_dict(), config.to_dict()["conditions"], config.data, config.recipe
        )
    finally:
        torch.set_num_threads(threads)
    return candidate.estimate(cost, config.workers or os.cpu_count() or 1).words
