"""Settings: TOML round trip and clear refusals."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nax_bo.errors import InputError
from nax_bo.hardware.chip import Conditions
from nax_bo.outcomes import OUTCOMES, PRICED
from nax_bo.study.config import StudyConfig, config_toml, read_config

CONFIGS = st.builds(
    StudyConfig,
    system=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1),
    data=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
    budget=st.integers(1, 10**6),
    seed=st.integers(0, 2**31),
    learn_costs=st.booleans(),
    objectives=st.lists(st.sampled_from(sorted(OUTCOMES)), unique=True).map(
        lambda o: ("accuracy", *(n for n in o if n != "accuracy"))
    ),
    max=st.dictionaries(st.sampled_from([o.name for o in PRICED]), st.floats(1e-3, 1e9)),
    within=st.floats(0.1, 100),
    choose=st.dictionaries(
        st.sampled_from(["device", "width_1"]), st.lists(st.text("abc12", min_size=1), min_size=1).map(tuple)
    ),
    min=st.dictionaries(st.sampled_from(["accuracy", "p05"]), st.floats(0.01, 0.99)),
    conditions=st.builds(
        Conditions, time_s=st.floats(0, 1e9), read_noise=st.booleans(), ir_drop=st.booleans()
    ),
)


@given(CONFIGS)
@settings(max_examples=40, deadline=None)
def test_toml_round_trip(tmp_path_factory, config: StudyConfig) -> None:
    path = tmp_path_factory.mktemp("config") / "naxbo.toml"
    path.write_text(config_toml(config), encoding="utf-8")
    assert read_config(path) == config
    assert StudyConfig.from_dict(config.to_dict()) == config


def test_every_setting_is_in_the_file() -> None:
    text = config_toml()
    for field in dataclasses.fields(StudyConfig):
        assert f"{field.name} =" in text or f"[{field.name}]" in text


def test_overrides_win(tmp_path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("budget = 7\nseed = 3\n")
    assert read_config(path, {"budget": 9}) == StudyConfig(budget=9, seed=3)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("budget = ", "not valid TOML"),
        ("bugdet = 3", "no setting 'bugdet'\nhint: Did you mean 'budget'"),
        ("budget = 0", "budget = 0"),
        ("budget = 'many'", "budget = 'many'"),
        ("[max]\narea_mm = 3", "'area_mm' is measured or priced\nhint: Did you mean 'area_mm2'"),
        ("[max]\narea_mm2 = -1", "limit of -1 on area_mm2"),
        ("[min]\naccuracy = 90", "limit of 90 on accuracy"),
        ("[conditions]\ntemperature = 3", "no condition 'temperature'"),
        ("max = 5", "max = 5"),
        ("conditions = 'all'", "conditions = 'all'"),
        ("objectives = ['edap']", "nothing that a training would measure"),
        ("system = 5", "system = 5"),
        ("data = 5", "data = 5"),
        ("learn_costs = 'no'", "learn_costs = 'no'"),
        ("[conditions]\nfaults = 'no'", "faults = 'no'"),
        ("[conditions]\ntemperature_k = 350", "temperature_k"),
        ("[conditions]\nconverter_noise_lsb = 'low'", "converter_noise_lsb = 'low'"),
        ("[conditions]\nconverter_gain_error = nan", "converter_gain_error = nan"),
        ("[conditions]\ntime_s = -1", "time_s = -1"),
    ],
)
def test_bad_settings_are_named(tmp_path, text, match) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_config(path)


def test_missing_file(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_config(tmp_path / "none.toml")


def test_differences_ignore_what_may_change() -> None:
    a = StudyConfig(budget=10, workers=1)
    assert a.differences(StudyConfig(budget=20, workers=2)) == {}
    assert a.differences(StudyConfig(seed=1)) == {"seed": (0, 1)}


def test_limits_of_the_file_and_of_the_command_line_add_up(tmp_path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[max]\narea_mm2 = 5.0\nenergy_uj = 9.0\n", encoding="utf-8")
    assert read_config(file, {"max": {"energy_uj": 3.0}}).max == {"area_mm2": 5.0, "energy_uj": 3.0}
