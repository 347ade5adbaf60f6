"""Where trainings run: executors by name, and what is the matter when one of their workers is lost."""

from nax_bo.cluster.dask import WorkerLostError
from nax_bo.cluster.named import Cluster, connect, executor_names

__all__ = ["Cluster", "WorkerLostError", "connect", "executor_names"]
