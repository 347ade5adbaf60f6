"""CIFAR-10: both layouts, archives, and that nothing in a hostile or damaged file gets through."""

import builtins
import io
import os
import pickle
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nax_bo.accuracy.data import load
from nax_bo.errors import DataError

IMAGES_PER_BATCH = 10_000
BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def batch_arrays(index):
    """Labels cycle; the first pixels of record i spell i, so that order and layout can be checked."""
    pixels = np.zeros((IMAGES_PER_BATCH, 3072), np.uint8)
    pixels[:, 0] = np.arange(IMAGES_PER_BATCH) % 251  # red, row 0, column 0
    pixels[:, 1024 + 33] = index + 1  # green, row 1, column 1
    return pixels, (np.arange(IMAGES_PER_BATCH) + index) % 10


@pytest.fixture(scope="module")
def binary_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c10") / "cifar-10-batches-bin"
    folder.mkdir()
    for index, name in enumerate(BATCHES):
        pixels, labels = batch_arrays(index)
        np.hstack([labels[:, None].astype(np.uint8), pixels]).tofile(folder / f"{name}.bin")
    yield folder
    for file in folder.iterdir():  # 184 MB: not left behind in the temporary folder
        file.unlink()


def linked_copy(source, target, **replaced):
    """A folder with links to the files of ``source``, some replaced."""
    target.mkdir()
    for file in source.iterdir():
        content = replaced.get(file.stem)
        if content is None:
            (target / file.name).symlink_to(file)
        else:
            (target / file.name).write_bytes(content)
    return target


@pytest.mark.parametrize("level", ["itself", "parent"])
def test_cifar10_binary_layout(binary_folder, level):
    data = load("cifar10", binary_folder if level == "itself" else binary_folder.parent, train=200, test=200)
    assert data.input_shape == (3, 32, 32)
    assert data.class_names[3] == "cat"
    assert torch.bincount(data.train_labels).tolist() == [20] * 10
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (data.mean, data.std))
    pixels = (data.test_images * std + mean).round().long()
    assert torch.all(pixels[:, 1, 1, 1] == 6)
    # Record i of the test batch has label (i + 5) % 10, and i % 251 in its first red pixel.
    for red, label in zip(pixels[:, 0, 0, 0].tolist(), data.test_labels.tolist(), strict=True):
        assert any((red + 251 * k + 5) % 10 == label for k in range(40))
    assert pixels.sum() == pixels[:, 0, 0, 0].sum() + pixels[:, 1, 1, 1].sum()


@pytest.fixture(scope="module")
def archives(binary_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tar")
    with tarfile.open(folder / "good.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(binary_folder, "cifar-10-batches-bin")
    yield folder
    for file in folder.iterdir():
        file.unlink()


def test_cifar10_from_a_tar_archive_equals_the_folder(binary_folder, archives):
    packed = load("cifar10", archives / "good.tar.gz", train=100, test=100)
    assert packed.fingerprint == load("cifar10", binary_folder, train=100, test=100).fingerprint
    assert [file.name for file in archives.iterdir()] == ["good.tar.gz"]


@pytest.mark.parametrize("name", ["../data_batch_1.bin", "/data_batch_1.bin", "c/../../data_batch_1.bin"])
def test_tar_members_that_point_outside_are_passed_over(tmp_path, name):
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match=r"lacks data_batch_1, .*found: no batch"):
        load("cifar10", tmp_path / "evil.tar")
    assert [file.name for file in tmp_path.iterdir()] == ["evil.tar"]


def test_tar_bombs_and_doubled_members_are_refused(tmp_path):
    huge = tarfile.TarInfo("data_batch_1.bin")
    huge.size = 1 << 40
    (tmp_path / "bomb.tar").write_bytes(huge.tobuf() + bytes(1024))
    with pytest.raises(DataError, match=r"1099511627776 bytes, expected at most"):
        load("cifar10", tmp_path / "bomb.tar")
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for folder in ("a", "b"):
            archive.addfile(tarfile.TarInfo(f"{folder}/test_batch.bin"))
    with pytest.raises(DataError, match=r"holds 'test_batch\.bin' twice"):
        load("cifar10", tmp_path / "twice.tar")


def test_a_cut_off_archive_is_named(archives, tmp_path):
    whole = (archives / "good.tar.gz").read_bytes()
    for kept in (whole[: len(whole) // 2], b"no archive", b"", whole[:5000] + b"\xff" * 5000 + whole[10000:]):
        (tmp_path / "cut.tar.gz").write_bytes(kept)
        with pytest.raises(DataError, match=r"cut\.tar\.gz"):
            load("cifar10", tmp_path / "cut.tar.gz")


def test_cut_off_missing_and_mislabelled_batches_are_named(binary_folder, tmp_path):
    whole = (binary_folder / "data_batch_3.bin").read_bytes()
    cut = linked_copy(binary_folder, tmp_path / "cut", data_batch_3=whole[:-3073])
    with pytest.raises(DataError, match=r"data_batch_3\.bin.*expected 30730000 bytes.*found 30726927"):
        load("cifar10", cut)
    wrong = bytearray(whole)
    wrong[17 * 3073] = 10
    labelled = linked_copy(binary_folder, tmp_path / "labelled", data_batch_3=bytes(wrong))
    with pytest.raises(DataError, match=r"data_batch_3\.bin.*record 17 has label 10, expected 0 \.\. 9"):
        load("cifar10", labelled)
    (labelled / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"lacks test_batch\.bin"):
        load("cifar10", labelled)


# --- CIFAR-10 python batches: the restricted reader ---------------------------------------------------------------


def python2_batch(pixels, labels):
    """A batch as Python 2 and numpy 1 wrote it: protocol 2, byte strings, numpy.core.multiarray._reconstruct."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    def number(n):
        return b"J" + int(n).to_bytes(4, "little", signed=True)

    data = pixels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + short(b"b") + b"tR"
        b"(K\x01" + number(pixels.shape[0]) + number(pixels.shape[1]) + b"\x86"
        b"cnumpy\ndtype\n("
        + short(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + short(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(data).to_bytes(4, "little") + data + b"tb"
    )
    items = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    note = short(b"batch_label") + short(b"training batch 1 of 5")
    return b"\x80\x02}(" + note + short(b"labels") + items + short(b"data") + array + b"u."


def python3_batch(protocol):
    return lambda pixels, labels: pickle.dumps({"data": pixels, "labels": labels.tolist()}, protocol=protocol)


WRITERS = {
    "python2": python2_batch,
    "protocol2": python3_batch(2),
    "protocol4": python3_batch(4),
    "protocol5": python3_batch(5),
    "label-array": lambda pixels, labels: pickle.dumps(
        {b"data": np.asfortranarray(pixels), b"labels": labels}
    ),
}


def test_the_handmade_python2_batch_is_what_pickle_reads():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    whole = pickle.loads(python2_batch(pixels, [1, 2, 3]), encoding="bytes")  # noqa: S301  our own bytes
    assert whole[b"labels"] == [1, 2, 3]
    np.testing.assert_array_equal(whole[b"data"], pixels)


@pytest.fixture(scope="module")
def python_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c10py") / "cifar-10-batches-py"
    folder.mkdir()
    writers = [*WRITERS.values(), python2_batch]
    for index, (name, write) in enumerate(zip(BATCHES, writers, strict=True)):
        (folder / name).write_bytes(write(*batch_arrays(index)))
    yield folder
    for file in folder.iterdir():
        file.unlink()


def test_python_batches_of_every_protocol_equal_the_binary_ones(binary_folder, python_folder):
    both = (
        load("cifar10", binary_folder, train=500, test=500),
        load("cifar10", python_folder.parent, train=500, test=500),
    )
    assert both[0].fingerprint == both[1].fingerprint


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def hostile_pickles(marker):
    write = f"open({str(marker)!r}, 'w').close()"
    array = pickle.dumps(np.zeros(4, np.uint8), protocol=2)
    return {
        "os.system": pickle.dumps(Calls(os.system, f"touch {marker}")),
        "in a value": pickle.dumps({"data": Calls(os.system, f"touch {marker}"), "labels": []}),
        "builtins.eval": pickle.dumps(Calls(builtins.eval, write)),
        "builtins.exec": pickle.dumps(Calls(builtins.exec, write), protocol=0),
        "builtins.getattr": b"cbuiltins\ngetattr\n.",
        "subprocess": pickle.dumps(Calls(subprocess.call, ["touch", str(marker)])),
        "numpy.load": pickle.dumps(Calls(np.load, str(marker), None, True)),
        "numpy.lib": b"cnumpy.lib.npyio\nload\n.",
        "nested attribute": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        "dotted global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        "object array": pickle.dumps(np.array([Calls(os.system, f"touch {marker}")], dtype=object)),
        "object dtype": pickle.dumps({"data": np.array([None], dtype=object)}),
        "forged object dtype": array.replace(b"u1", b"O8"),
        "structured dtype": pickle.dumps({"data": np.zeros(2, [("a", "u1")])}),
        "persistent id": b"Pevil\n.",
        "extension code": b"\x80\x02\x82\x01.",
        "old instance": b"(S'touch'\nios\nsystem\n.",
        "new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
        "memo bomb": b"\x80\x02}r\xff\xff\xff\xff.",
        "promised bytes": b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b".",
        "scalar": pickle.dumps({"labels": [np.int64(3)]}),
        "set": pickle.dumps({1, 2}),
        "complex": pickle.dumps(3j),
        "list": pickle.dumps([1, 2]),
        "state for a name": b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
        "state for a class": b"\x80\x02c_codecs\nencode\n}U\x01aK\x01sb.",
        "codec": pickle.dumps({"data": 1})[:2]
        + b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
        "empty": b"",
        "rubbish": b"\x80\x04 not a pickle",
    }


HOSTILE_NAMES = list(hostile_pickles(Path("x")))


@pytest.mark.parametrize("case", HOSTILE_NAMES)
def test_hostile_python_batches_are_refused_and_run_nothing(binary_folder, tmp_path, case):
    marker = tmp_path / "executed"
    folder = tmp_path / "batches"
    folder.mkdir()
    for name in BATCHES:
        (folder / name).write_bytes(hostile_pickles(marker)[case])
    with pytest.raises(DataError, match=r"data_batch_1' is no plain CIFAR-10 batch and was not loaded"):
        load("cifar10", folder)
    assert not marker.exists()


def test_the_hostile_pickles_do_harm_when_pickle_reads_them(tmp_path):
    """The test above could not fail if its pickles were harmless."""
    for case in ("os.system", "in a value", "builtins.eval", "builtins.exec", "subprocess", "object array"):
        marker = tmp_path / "executed"
        pickle.loads(hostile_pickles(marker)[case])  # noqa: S301  harmless: touches a file
        assert marker.exists(), case
        marker.unlink()


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.999])
def test_cut_off_python_batches_are_named(python_folder, tmp_path, cut):
    whole = (python_folder / "data_batch_2").read_bytes()
    folder = linked_copy(python_folder, tmp_path / "cut", data_batch_2=whole[: int(cut * len(whole))])
    with pytest.raises(DataError, match=r"data_batch_2.*damaged data"):
        load("cifar10", folder)


@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_a_flipped_byte_gives_an_array_or_a_refusal_never_another_error(position, value):
    from nax_bo.accuracy.data.restricted_pickle import RefusedPickle, read_plain_dictionary

    raw = bytearray(python2_batch(np.arange(12, dtype=np.uint8).reshape(3, 4), [1, 2, 3]))
    raw[position % len(raw)] = value
    try:
        found = read_plain_dictionary(bytes(raw))
    except RefusedPickle:
        return
    plain = bytes | str | list | tuple | dict | int | float | None | np.ndarray
    assert all(isinstance(item, plain) for item in found.values())


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"labels": []}, "'data' must be uint8 .* found NoneType"),
        ({"data": np.zeros((5, 3072), np.uint8), "labels": [0] * 5}, r"found uint8 \(5, 3072\)"),
        ({"data": np.zeros((10_000, 3072), np.uint8), "labels": [0] * 9}, "expected 10000 labels, found 9"),
        ({"data": np.zeros((10_000, 3072), np.uint8), "labels": ["0"] * 9}, "list of integers"),
        ({"data": np.zeros((10_000, 3072), np.uint8), "labels": [0, -1] * 5000}, "record 1 has label -1"),
    ],
    ids=["no data", "few", "labels", "texts", "negative"],
)
def test_python_batches_of_the_wrong_content_are_refused(tmp_path, batch, message):
    for name in BATCHES:
        (tmp_path / name).write_bytes(pickle.dumps(batch) if name == BATCHES[0] else b"")
    with pytest.raises(DataError, match=f"data_batch_1.*{message}"):
        load("cifar10", tmp_path)
