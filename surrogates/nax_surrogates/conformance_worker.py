"""The process in which :mod:`nax_surrogates.conformance` runs cases: one JSON job in, one line per case out."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Read the job from standard input; what the surrogate itself prints goes nowhere."""
    job = json.loads(sys.stdin.readline())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the surrogate's own prints must not look like answers
    from nax_bo.surrogate.reference import SurrogateReference
    from nax_surrogates.conformance_cases import CASES

    reference = SurrogateReference.from_dict(job["reference"])
    by_name = {case.name: case for case in CASES}
    print("ready", file=out, flush=True)
    for name in job["cases"]:
        print("case " + json.dumps([name, *by_name[name].verdict(reference)]), file=out, flush=True)


if __name__ == "__main__":
    main()
