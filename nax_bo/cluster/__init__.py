"""Where trainings run: executors by name, and what is the matter when one of their workers is lost."""

from nax_bo.cluster.dask import WorkerLostError
from nax_bo.cluster.named import LOCAL, Cluster, connect, executor_names

__all__ = ["LOCAL", "Cluster", "WorkerLostError", "connect", "executor_names"]
