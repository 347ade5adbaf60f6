"""Wrong input ends with two lines on stderr, the documented exit code, and nothing half-written."""

from pathlib import Path

import pytest

from nax_bo.study import Study, StudyConfig

BROKEN = "import nothing_that_exists\n\nclass Model:\n    pass\n"
RAISES = """class Model:
    def __init__(self):
        raise RuntimeError('no model today')
    def fit(self, X, Y): pass
    def predict(self, X): pass
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A study, and files that are not what they should be."""
    Study(tmp_path / "good.naxbo", StudyConfig(strategy="random", surrogate="gp")).store.close()
    (tmp_path / "text.naxbo").write_text("this is not a study")
    whole = (tmp_path / "good.naxbo").read_bytes()
    (tmp_path / "damaged.naxbo").write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    (tmp_path / "bad.toml").write_text("budget = = 3\n")
    (tmp_path / "unknown.toml").write_text("bugdet = 3\n")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "raises.py").write_text(RAISES)
    return tmp_path


CASES = [
    ("what-if --set adc_bit=5", 2, "no hardware setting 'adc_bit'", "Did you mean adc_bits"),
    ("optimize --until-gain 1", 2, "until_gain = 1", "0.01 for 1 %"),
    ("what-if --set adc_bits=99", 2, "adc_bits = 99 is out of range", "from 1 to 16"),
    ("what-if --set adc_bits=five", 2, "adc_bits = 'five'", "whole number"),
    ("what-if --set adc_bits", 2, "'adc_bits' is no setting", "name=value"),
    ("what-if --set mux=256", 2, "256 columns share a converter", "mux <= cols"),
    ("what-if --set layer99.adc_bits=5", 2, "no static layer 'layer99'", "layer1 to layer14"),
    ("what-if --set device=unobtainium", 2, "unobtainium", "rram"),
    ("what-if --network vgg99", 2, "vgg99", "vgg16"),
    ("what-if --data mnist", 2, "image size of 'mnist'", "--shape"),
    ("what-if --shape 3x32", 2, "--shape '3x32'", "3x32x32"),
    ("what-if --sweep adc_bits=8:3", 2, "adc_bits = '8:3'", "Go upwards"),
    ("what-if --sweep mux=2,4 --vs mux=8", 2, "--vs", "Leave it out"),
    ("what-if --cost-model nope", 2, "no cost model 'nope'", "published"),
    ("what-if --set adc_bits=5 --chart nowhere/a.png", 2, "nowhere/a.png", "folder that exists"),
    ("what-if --study good.naxbo --design 7", 2, "no design 7", "holds no designs"),
    ("what-if --design 0 --network vgg16", 2, "--network with --design", "brings its network"),
    ("evaluate --set widht_1=8", 2, "no variable 'widht_1'", "width_1"),
    ("evaluate --set width_1=9", 2, "width_1 = '9'", "4, 8, 12"),
    ("evaluate --set device=sram --set bits_per_cell=2", 2, "bits_per_cell does not matter", "device in"),
    ("evaluate --set width_1", 2, "--set 'width_1'", "NAME=VALUE"),
    ("evaluate --fidelity medium", 2, "no fidelity 'medium'", "short or full"),
    ("evaluate --system nope", 2, "no design space 'nope'", "vgg"),
    ("evaluate --data cifar10:nowhere", 3, "nowhere", ""),
    ("evaluate --data folder:nowhere", 3, "nowhere", ""),
    ("evaluate --design 0", 2, "design 0 of which study", "--study"),
    ("devices unobtainium", 2, "unobtainium", "rram"),
    ("spaces nope", 2, "no design space 'nope'", "vgg"),
    ("spaces vgg --shape 1x2x2", 2, "(2, 2) pixels", "4 x 4"),
    ("optimize --budget -5", 2, "budget = -5", "at least 1"),
    ("optimize --workers -1", 2, "workers = -1", "at least 0"),
    ("optimize --data folder:nowhere", 3, "nowhere", ""),
    ("optimize --system nope", 2, "no design space 'nope'", "vgg"),
    ("optimize --strategy nope", 2, "no strategy 'nope'", "random"),
    ("optimize --surrogate nope", 5, "no surrogate 'nope'", "gp"),
    ("optimize --surrogate broken.py:Model", 5, "broken.py fails when it is imported", "python"),
    ("optimize --surrogate gp,colour=red", 5, "no argument 'colour'", "kernel"),
    ("optimize --cost-model nope", 2, "no cost model 'nope'", "published"),
    ("optimize --max weight=3", 2, "nothing called 'weight' is measured or priced", "area"),
    ("optimize --max area_mm2=big", 2, "'big' is not a number", "NUMBER"),
    ("optimize --max area_mm2=-3", 2, "a limit of -3.0 on area_mm2", "positive"),
    ("optimize --max area_mm2=0.001", 2, "no design was found with area_mm2 <= 0.001", "area_mm2"),
    ("optimize --max energy=1 --min tops_w=1e9", 2, "no design was found with", "tops_w"),
    ("optimize --max area=3 --min area_mm2=4", 2, "at least 4 and at most 3", "one of the limits"),
    ("optimize --max area=3 --max area=4", 2, "--max names area twice", "once"),
    ("optimize --min accuracy=90", 2, "limit of 90.0 on accuracy", "0.9"),
    ("optimize --objective edap --objective area", 2, "nothing that a training would measure", "accuracy"),
    ("optimize --objective accuracy --objective speed", 2, "nothing called 'speed'", "There are"),
    (
        "optimize --objective accuracy --objective edap --objective edap_uj_ms_mm2",
        2,
        "name one twice",
        "once",
    ),
    ("optimize --within 0", 2, "within = 0.0", "points"),
    ("optimize --fix device=flash", 2, "device = 'flash' is not a value", "rram"),
    ("optimize --fix devise=rram", 2, "no variable 'devise'", "device"),
    ("optimize --fix device=rram --choose device=sram,rram", 2, "both --fix and --choose", "one"),
    ("optimize --choose crossbar=64,77", 2, "crossbar_1 = '77'", "64"),
    ("optimize --learn speed", 2, "nothing called 'speed'", "There are"),
    ("optimize --config nowhere.toml", 2, "cannot read nowhere.toml", "naxbo init"),
    ("optimize --config bad.toml", 2, "bad.toml is not valid TOML", "naxbo init"),
    ("optimize --config unknown.toml", 2, "no setting 'bugdet'", "budget"),
    ("optimize --report text.naxbo/report", 2, "report cannot be written", "--report"),
    ("optimize --study text.naxbo/study.naxbo", 4, "text.naxbo", "folder"),
    ("optimize --study text.naxbo", 4, "text.naxbo is not a naxbo study", "another file"),
    ("optimize --study damaged.naxbo", 4, "damaged.naxbo", ""),
    ("optimize --study good.naxbo --seed 3", 4, "seed was 0, now 3", "same settings"),
    ("pareto", 4, "no study at study.naxbo", "naxbo optimize"),
    ("report --study good.naxbo --out text.naxbo", 2, "cannot be written to text.naxbo", "--out"),
    ("report --study good.naxbo --design 3", 2, "no design 3", ""),
    ("export 3 --study good.naxbo", 2, "no design 3", ""),
    (
        "surrogates compare nope --study good.naxbo",
        2,
        "trained in full to judge predictions: 0",
        "It takes 3",
    ),
    ("bench nowhere", 2, "no synthetic problem 'nowhere'", "chain24"),
    ("bench chain24 --strategies nope", 2, "no strategy 'nope'", "random"),
    ("bench chain24 --strategies ,", 2, "--strategies names none", "commas"),
    ("bench chain24 --surrogate nope", 5, "no surrogate 'nope'", "gp"),
    ("bench chain24 --q 0", 2, "--q 0", "at least one"),
    ("bench chain24 --plot a.txt", 2, "a.txt is no figure file", "--plot FILE.png"),
    ("bench chain24 --plot nowhere/a.png", 2, "cannot write the figure nowhere/a.png", "folder that exists"),
    ("bench chain24 --plot folder.png", 2, "folder.png is a folder", "--plot FILE.png"),
    ("init nowhere/naxbo.toml", 2, "cannot write nowhere", "folder"),
    ("init bad.toml", 2, "bad.toml exists already", "--force"),
]


@pytest.mark.parametrize(("command", "code", "error", "hint"), CASES, ids=[case[0] for case in CASES])
def test_two_lines_and_an_exit_code(naxbo, files, command, code, error, hint) -> None:
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    answer = naxbo(*command.split())
    lines = answer.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], answer.err
    assert error in lines[0]
    assert hint in lines[1]
    assert answer.code == code
    assert answer.out == ""
    after = {
        path: path.read_bytes()
        for path in files.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".pyc")
    }
    assert after == before


def test_a_surrogate_that_breaks_the_contract_is_named_with_what_it_breaks(naxbo, files) -> None:
    answer = naxbo("surrogates", "check", "raises.py:Model")
    assert answer.code == 5
    assert "no model today" in answer.out


def test_unknown_commands_and_options_name_the_nearest(naxbo) -> None:
    assert naxbo("optimise").code == 2
    answer = naxbo("what-if", "--sett", "adc_bits=5")
    assert answer.code == 2
    assert "--set" in answer.err
