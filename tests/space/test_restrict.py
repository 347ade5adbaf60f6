"""Parts of a space: same designs, same columns, fewer values."""

import numpy as np
import pytest

from nax_bo.errors import InputError
from nax_bo.space import Condition, Space, categorical, ordinal, restrict

WHOLE = Space(
    [
        ordinal("depth", (1, 2, 3)),
        ordinal("width_1", (8, 16, 32)),
        ordinal("width_2", (8, 16, 32), when=Condition("depth", (2, 3))),
        ordinal("width_3", (8, 16, 32), when=Condition("depth", (3,))),
        categorical("device", ("sram", "rram", "stt-mram")),
        ordinal("bits", (1, 2, 4), when=Condition("device", ("rram",))),
    ]
)


@pytest.mark.parametrize(
    "choices",
    [
        {"device": ["rram"]},
        {"device": ("sram", "stt-mram"), "depth": (1, 2)},
        {"width": (16, 32)},
        {"width": ("32",), "width_1": (8, 16), "bits": (2, 4)},
        {"depth": (3,), "bits": 4 * np.ones(1, dtype=int)},
    ],
)
def test_a_part_holds_exactly_the_designs_of_the_whole_that_obey(choices) -> None:
    part = restrict(WHOLE, choices)

    def obeys(design) -> bool:
        for name, value in design.items():
            stem = name.partition("_")[0]
            allowed = choices.get(name, choices.get(stem))
            if allowed is not None and str(value) not in [str(v) for v in allowed]:
                return False
        return True

    everything = {tuple(d.items()) for d in WHOLE.designs(WHOLE.enumerate()) if obeys(d)}
    found = [tuple(d.items()) for d in part.designs(part.enumerate())]
    assert set(found) == everything
    assert len(found) == part.size
    for design in part.designs(part.enumerate()):
        whole = WHOLE.design(dict(design))
        mine, theirs = part.columns([design.indices]), WHOLE.columns([whole.indices])
        assert {k: v[0] for k, v in mine.items()} == {k: v[0] for k, v in theirs.items()}
    assert Space.from_json(part.to_json()) == part


def test_a_part_of_a_part_shows_what_the_whole_shows() -> None:
    part = restrict(restrict(WHOLE, {"bits": (2, 4)}), {"bits": (4,), "device": ("sram", "rram")})
    sram = part.design({"device": "sram"})
    assert part.columns([sram.indices])["bits"][0] == 1


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"devise": ["rram"]}, "no variable 'devise'"),
        ({"device": ["flash"]}, "device = 'flash'"),
        ({"width": [7]}, "width_1 = 7"),
        ({"bits": []}, "without a value"),
    ],
)
def test_what_does_not_exist_is_refused(choices, match) -> None:
    with pytest.raises(InputError, match=match):
        restrict(WHOLE, choices)
