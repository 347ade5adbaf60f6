"""Data sets: the value itself, digits, specifications and the registry."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nax_bo.accuracy.data import (
    DataSet,
    DataSpec,
    LoadOptions,
    data_set_from_pixels,
    data_set_names,
    load,
    parse_data,
    register_data_set,
)
from nax_bo.errors import DataError, InputError


def small_set(n_train=30, n_test=12, seed=0, **changes):
    rng = np.random.default_rng(seed)
    settings = {
        "train": (rng.integers(0, 256, (n_train, 2, 5, 4), dtype=np.uint8), np.arange(n_train) % 3),
        "test": (rng.integers(0, 256, (n_test, 2, 5, 4), dtype=np.uint8), np.arange(n_test) % 3),
        "class_names": ("a", "b", "c"),
    }
    return data_set_from_pixels("small", **{**settings, **changes})


# --- the value ------------------------------------------------------------------------------------------------


def test_normalisation_is_per_channel_over_the_training_pixels():
    rng = np.random.default_rng(1)
    train = rng.normal(5, 3, (40, 2, 6, 6)) * np.array([1.0, 10.0])[:, None, None]
    test = rng.normal(5, 3, (8, 2, 6, 6))
    data = data_set_from_pixels(
        "float", train=(train, np.arange(40) % 2), test=(test, np.arange(8) % 2), class_names=("a", "b")
    )
    mean, std = train.mean((0, 2, 3)), train.std((0, 2, 3))
    np.testing.assert_allclose(data.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(data.std, std, rtol=1e-9)
    expected = (test - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(data.test_images.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_8_bit_statistics_equal_numpys():
    data = small_set(n_train=3000)
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 2, 5, 4), dtype=np.uint8).astype(np.float64)
    np.testing.assert_allclose(data.mean, pixels.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(data.std, pixels.std((0, 2, 3)), rtol=1e-12)
    assert data.train_images.dtype == torch.float32
    assert data.train_labels.dtype == torch.int64
    assert (data.num_classes, data.input_shape) == (3, (2, 5, 4))


@pytest.mark.parametrize("value", [np.uint8(7), np.float64(0.1), np.float32(1e4 / 3), np.float64(0)])
def test_a_constant_channel_becomes_zero_not_nan(value):
    pixels = np.full((4, 1, 2, 7), value)
    labels = np.array([0, 1, 0, 1])
    data = data_set_from_pixels("flat", train=(pixels, labels), test=(pixels, labels), class_names=("a", "b"))
    assert data.train_images.abs().max() < 1e-3
    assert data.std == (1.0,)


def test_resizing_keeps_a_constant_image_and_the_mean_of_blocks():
    pixels = np.zeros((2, 1, 8, 8), np.uint8)
    pixels[0] = 200
    labels = np.array([0, 1])
    data = data_set_from_pixels(
        "blocks", train=(pixels, labels), test=(pixels, labels), class_names=("a", "b"), image_size=4
    )
    assert data.input_shape == (1, 4, 4)
    restored = data.train_images * data.std[0] + data.mean[0]
    np.testing.assert_allclose(restored.numpy(), np.repeat([200.0, 0.0], 16).reshape(2, 1, 4, 4), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("a", "b")}, "labels run from 0 to 2, but there are 2 class names"),
        ({"train": (np.zeros((2, 3, 4), np.uint8), np.zeros(2, int))}, r"shape \(2, 3, 4\)"),
        ({"train": (np.zeros((2, 2, 5, 4), np.int16), np.zeros(2, int))}, "pixels are int16"),
        ({"train": (np.zeros((2, 2, 5, 4), np.uint8), np.zeros(2))}, "labels are float64"),
        ({"train": (np.zeros((2, 2, 5, 4), np.uint8), np.zeros(3, int))}, "for 2 images"),
        ({"test": (np.full((2, 2, 5, 4), np.nan), np.zeros(2, int))}, "NaN or infinite"),
        ({"test": (np.zeros((2, 2, 5, 5), np.uint8), np.zeros(2, int))}, "training images are"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        small_set(**changes)


def test_fingerprint_follows_the_data_and_nothing_else():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 2, 5, 4), dtype=np.uint8)
    changed = pixels.copy()
    changed[3, 1, 2, 2] ^= 1
    labels = np.arange(30) % 3
    other_labels = labels.copy()
    other_labels[[0, 1]] = labels[[1, 0]]
    base = small_set(source="here").fingerprint
    assert base == small_set(source="there").fingerprint
    others = [
        small_set(train=(changed, labels)).fingerprint,
        small_set(train=(pixels, other_labels)).fingerprint,
        small_set(class_names=("a", "b", "d")).fingerprint,
        small_set(n_test=9).fingerprint,
    ]
    assert len({base, *others}) == 5


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**32),
)
def test_subsets_are_stratified_disjoint_draws(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    values = np.arange(len(labels), dtype=np.float64).reshape(-1, 1, 1, 1)
    names = tuple(map(str, range(len(counts))))
    data = data_set_from_pixels("s", train=(values, labels), test=(values, labels), class_names=names)
    n = max(1, round(share * len(labels)))
    part = data.subset(n, None, seed)
    drawn = torch.bincount(part.train_labels, minlength=len(counts)).numpy()
    assert len(part.train_images.unique()) == n == drawn.sum()
    assert len(part.test_labels) == len(labels)
    if n >= len(counts):
        assert drawn.min() >= 1
    ideal = np.array(counts) * n / len(labels)
    # Off by less than one by rounding, or by what classes too rare for an image of their own were given.
    assert np.all(np.abs(drawn - ideal) < 1 + np.sum(ideal < 1))
    assert torch.equal(part.train_images, data.subset(n, None, seed).train_images)


def test_subset_larger_than_the_set_is_refused():
    with pytest.raises(InputError, match="subset of 31 train images"):
        small_set().subset(31, 3)


# --- digits, specifications, registry ----------------------------------------------------------------------------


def test_digits_split_is_stratified_and_reproducible():
    data = load("digits")
    assert data.input_shape == (1, 8, 8)
    assert len(data.train_labels) + len(data.test_labels) == 1797
    shares = torch.bincount(data.test_labels) / (
        torch.bincount(data.train_labels) + torch.bincount(data.test_labels)
    )
    assert (shares - 0.5).abs().max() < 0.01
    assert load("digits").fingerprint == data.fingerprint
    assert load("digits", seed=1).fingerprint != data.fingerprint


def test_digits_are_learnable_so_images_and_labels_belong_together():
    from sklearn.neighbors import KNeighborsClassifier

    data = load("digits")
    model = KNeighborsClassifier(1).fit(data.train_images.flatten(1).numpy(), data.train_labels.numpy())
    assert model.score(data.test_images.flatten(1).numpy(), data.test_labels.numpy()) > 0.97


def test_limit_and_image_size_apply():
    data = load("digits", train=50, test=50, image_size=16)
    assert data.input_shape == (1, 16, 16)
    assert torch.bincount(data.train_labels).tolist() == [5] * 10
    assert len(data.test_labels) == 50
    assert "50 training" in data.source


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("digits", DataSpec("digits")),
        ("cifar10:/data/c10", DataSpec("cifar10", "/data/c10")),
        (r"folder:C:\my images", DataSpec("folder", r"C:\my images")),
        ("tiny-imagenet:~/tiny", DataSpec("tiny-imagenet", "~/tiny")),
        ("my_pkg.data:load_mine", DataSpec("my_pkg.data:load_mine")),
        ("./mine.py:load_mine:/data/x", DataSpec("./mine.py:load_mine", "/data/x")),
        (r"C:\a b\mine.py:load_mine", DataSpec(r"C:\a b\mine.py:load_mine")),
        ("digits,train=100,seed=3", DataSpec("digits", train=100, seed=3)),
        ("cifar10:/data/c10,train=50,test=20,size=16", DataSpec("cifar10", "/data/c10", 50, 20, 16)),
        ("folder:/a, b/c=d,size=8", DataSpec("folder", "/a, b/c=d", size=8)),
        ("./mine.py:load_mine,test=5", DataSpec("./mine.py:load_mine", test=5)),
    ],
)
def test_specifications_parse_and_print_back(spec, expected):
    assert parse_data(spec) == expected
    assert str(expected) == spec


def test_how_much_of_a_set_is_used_is_part_of_its_specification():
    data = parse_data("digits,train=100,test=30,size=4,seed=2").load()
    assert (len(data.train_labels), len(data.test_labels)) == (100, 30)
    assert data.input_shape == (1, 4, 4)
    assert torch.bincount(data.train_labels).tolist() == [10] * 10
    other = parse_data("digits,train=100,test=30,size=4,seed=3").load()
    assert other.fingerprint != data.fingerprint
    assert (
        parse_data("digits,test=30").load().train_labels.shape
        == parse_data("digits").load().train_labels.shape
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digits,tests=3", "no option 'tests'\n.*did you mean 'test'"),
        ("digits,train=0", "train='0' is not a count"),
        ("digits,train=1e3", "train='1e3' is not a count"),
        ("digits,train=", "train='' is not a count"),
        ("digits,train=5,train=6", "'train' is given twice"),
        ("nothing,train=5", "unknown data set 'nothing'"),
    ],
)
def test_wrong_data_options_are_refused_by_name(spec, message):
    with pytest.raises(InputError, match=message):
        parse_data(spec)


def test_an_option_that_is_given_twice_is_refused():
    with pytest.raises(InputError, match="two of train: '5' in 'digits,train=5', and '6'"):
        load("digits,train=5", train=6)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"unknown data set 'cifar'\n.*did you mean 'cifar10'.*digits"):
        parse_data("cifar")
    with pytest.raises(InputError, match="ends where a path belongs"):
        parse_data("cifar10:")


@pytest.mark.parametrize("name", ["cifar10", "tiny-imagenet", "folder"])
def test_sets_that_need_a_path_say_so(name, tmp_path):
    with pytest.raises(InputError, match="needs the path"):
        load(name)
    with pytest.raises(DataError, match="absent"):
        load(name, tmp_path / "absent")


@pytest.mark.parametrize("wrong", [{"train": 0}, {"image_size": -3}, {"test": True}, {"seed": -1}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        load("digits", **wrong)


def test_digits_refuse_a_path_and_two_paths_are_one_too_many():
    with pytest.raises(InputError, match="takes no path"):
        load("digits:/data")
    with pytest.raises(InputError, match="two of path"):
        load("folder:/data", "/other")


def test_registered_loader_gets_the_options_and_keeps_its_name():
    seen = []

    def loader(options: LoadOptions) -> DataSet:
        seen.append(options)
        return small_set()

    register_data_set("test-registered", loader)
    register_data_set("test-registered", loader)
    data = load("test-registered:/somewhere", image_size=9, train=6, test=6, seed=4)
    assert seen == [LoadOptions(Path("/somewhere"), 9, 6, 6, 4)]
    assert len(data.train_labels) == 6  # enforced although the loader ignored it
    assert "test-registered" in data_set_names()
    for taken in ("test-registered", "digits"):
        with pytest.raises(InputError, match=f"'{taken}' is taken by"):
            register_data_set(taken, lambda options: small_set())


def test_a_file_reference_loads_and_its_faults_are_named(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "from nax_bo.accuracy.data import DataSet, LoadOptions, data_set_from_pixels\n"
        "def mine(options) -> DataSet:\n"
        "    part = (np.full((4, 1, 2, 2), options.seed, np.uint8), np.array([0, 1, 0, 1]))\n"
        "    return data_set_from_pixels('mine', train=part, test=part, class_names=('x', 'y'))\n"
        "def wrong(options: LoadOptions):\n    return 3\n"
        "number = 3\n"
    )
    assert load(f"{file}:mine", seed=9).mean == (9.0,)
    for function, message in (
        ("wrong", "gave a int"),
        ("none", "has no 'none'"),
        ("number", "is no data set"),
    ):
        with pytest.raises(InputError, match=message):
            load(f"{file}:{function}")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        load(f"{tmp_path}/broken.py:f")
    with pytest.raises(InputError, match="no_such_module_at_all"):
        load("no_such_module_at_all:f")


def test_an_installed_plug_in_is_found(tmp_path, monkeypatch):
    (tmp_path / "naxbo_test_plugin.py").write_text(
        "from nax_bo.accuracy.data.digits import load_digits as mine\n"
    )
    info = tmp_path / "naxbo_test_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: naxbo-test-plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[naxbo.data]\nplugged = naxbo_test_plugin:mine\nbent = naxbo_test_plugin:absent\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load("plugged").fingerprint == load("digits").fingerprint
    with pytest.raises(InputError, match="plug-in 'bent'"):
        load("bent")


def test_importing_the_package_does_not_import_torch():
    code = "import sys, nax_bo.accuracy.data; print([m for m in ('torch', 'PIL', 'sklearn') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_cluttered_digits_are_digits_moved_and_joined_by_pieces_of_others():
    cluttered, plain = parse_data("cluttered-digits").load(), parse_data("digits").load()
    assert cluttered.input_shape == (1, 10, 10)
    assert torch.equal(cluttered.train_labels, plain.train_labels)
    assert torch.equal(cluttered.test_labels, plain.test_labels)

    def pixels(data: DataSet, images: Tensor) -> Tensor:
        return images * data.std[0] + data.mean[0]

    scenes, digits = pixels(cluttered, cluttered.test_images), pixels(plain, plain.test_images)
    assert float(scenes.max()) <= 16.5
    assert (scenes.sum((1, 2, 3)) > 0.8 * digits.sum((1, 2, 3))).float().mean() > 0.99
    columns = (scenes.sum(2)[:, 0] > 0).float()
    assert float(columns[:, 0].mean()) > 0.05  # digits reach the left edge and the right one
    assert float(columns[:, -1].mean()) > 0.05


def test_cluttered_digits_are_the_same_every_time_and_take_no_path():
    one, two = parse_data("cluttered-digits").load(), parse_data("cluttered-digits").load()
    assert torch.equal(one.train_images, two.train_images)
    with pytest.raises(InputError, match="takes no path"):
        parse_data("cluttered-digits:/tmp/x").load()
