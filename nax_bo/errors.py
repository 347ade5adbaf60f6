"""Everything that naxbo raises on purpose.

::

    NaxboError
    ├── InputError        a setting, file or argument is wrong              exit code 2
    ├── DataError         a data set is missing, corrupt or unexpected      exit code 3
    ├── StoreError        a study file cannot be read, written or resumed   exit code 4
    ├── SurrogateError    a surrogate cannot be found, loaded or trusted    exit code 5
    ├── EvaluationError   a design cannot be trained or priced              exit code 6
    └── EnvironmentFaultError   trainings cannot run where they are sent    exit code 7

Each carries a message (what went wrong, and where) and a hint (what to do about it).
The command line prints both and leaves with the exit code; it never shows a traceback for these.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override


class NaxboError(Exception):
    """Base of all errors that naxbo raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    @override
    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class InputError(NaxboError):
    """A setting, a file or an argument is wrong."""

    exit_code = 2


class DataError(NaxboError):
    """A data set is missing, corrupt or not what its loader expects."""

    exit_code = 3


class StoreError(NaxboError):
    """A study file cannot be read, written or resumed."""

    exit_code = 4


class SurrogateError(NaxboError):
    """A surrogate cannot be found, loaded, fitted or trusted."""

    exit_code = 5


class EvaluationError(NaxboError):
    """A design cannot be trained or priced."""

    exit_code = 6


class EnvironmentFaultError(NaxboError):
    """Trainings cannot run where they are sent: full disks, missing packages, lost workers. No design is to blame."""

    exit_code = 7
