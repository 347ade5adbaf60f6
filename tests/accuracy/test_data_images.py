"""Image folders, Tiny ImageNet, and the cache of decoded images."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from nax_bo.accuracy.data import load
from nax_bo.errors import DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NAXBO_CACHE", str(folder))
    return folder


# --- image folders --------------------------------------------------------------------------------------------


def put(file, *, size=(12, 12), mode="RGB", value=0, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    bands = len(Image.new(mode, (1, 1)).getbands())
    Image.new(mode, size, value if bands == 1 else (value,) * bands).save(file, **options)
    return file


def image_tree(root, parts=("train/", "val/"), n=3, **options):
    for part in parts:
        for label, name in enumerate(("cat", "dog")):
            for i in range(n):
                put(root / f"{part}{name}" / f"{i}.png", value=100 * label + 10 * i, **options)
    return root


def snapshot(root):
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(root.rglob("*"))}


def restored(images, data):
    shape = (1, -1, 1, 1)
    return (images * torch.tensor(data.std).view(shape) + torch.tensor(data.mean).view(shape)).round().long()


@pytest.mark.parametrize("held_out", ["val", "test", "validation"])
def test_folder_with_parts(tmp_path, held_out):
    image_tree(tmp_path, parts=("train/", f"{held_out}/"))
    data = load("folder", tmp_path)
    assert (data.class_names, data.input_shape) == (("cat", "dog"), (3, 12, 12))
    assert restored(data.train_images, data)[:, 0, 0, 0].tolist() == [0, 10, 20, 100, 110, 120]
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert f"tested on its '{held_out}' folder" in data.source


def test_val_is_preferred_so_that_test_stays_unseen(tmp_path):
    image_tree(tmp_path, parts=("train/", "val/"))
    image_tree(tmp_path, parts=("test/",), n=5)
    assert len(load("folder", tmp_path).test_labels) == 6


@pytest.mark.parametrize("part", ["", "train/"])
def test_folder_without_a_test_part_is_split_stratified_and_says_so(tmp_path, part):
    image_tree(tmp_path, parts=(part,), n=10)
    data, again, other = load("folder", tmp_path), load("folder", tmp_path), load("folder", tmp_path, seed=1)
    assert torch.bincount(data.test_labels).tolist() == [2, 2]
    assert torch.bincount(data.train_labels).tolist() == [8, 8]
    seen = torch.cat([restored(data.train_images, data), restored(data.test_images, data)])[:, 0, 0, 0]
    assert sorted(seen.tolist()) == sorted([*range(0, 100, 10), *range(100, 200, 10)])
    assert "stratified 16/4 split (seed 0)" in data.source
    assert data.fingerprint == again.fingerprint != other.fingerprint


def test_grey_folders_have_one_channel_and_mixed_ones_three(tmp_path):
    image_tree(tmp_path, mode="L")
    assert load("folder", tmp_path).input_shape == (1, 12, 12)
    put(tmp_path / "train/cat/9.png")
    assert load("folder", tmp_path).input_shape == (3, 12, 12)


def test_every_format_and_mode_is_decoded_to_the_same_pixels(tmp_path):
    image_tree(tmp_path)
    for name in ("a.PNG", "b.bmp", "c.ppm", "d.jpg", "e.JPEG"):
        put(tmp_path / "train/cat" / name, value=77)
    put(tmp_path / "train/cat/f.pgm", mode="L", value=77)
    put(tmp_path / "train/cat/g.png", mode="RGBA", value=77)
    put(tmp_path / "train/cat/h.png", mode="LA", value=77)
    palette = Image.new("P", (12, 12), 1)
    palette.putpalette([0, 0, 0, 77, 77, 77])
    palette.save(tmp_path / "train/cat/i.png", transparency=b"\x80\xff")
    data = load("folder", tmp_path)
    assert (restored(data.train_images, data)[:, :, 6, 6] == 77).all(1).sum() == 9


def test_different_sizes_are_brought_to_the_smallest_and_centred(tmp_path):
    image_tree(tmp_path, size=(20, 20))
    wide = Image.new("RGB", (60, 20), (255, 0, 0))
    wide.paste(
        (0, 255, 0), (15, 0, 45, 20)
    )  # the centre square, and what smoothing reaches beside it, is green
    wide.save(tmp_path / "val/cat/wide.png")
    data = load("folder", tmp_path)
    assert data.input_shape == (3, 20, 20)
    assert "cropped to 20 x 20: sizes differ and no image_size was given" in data.source
    assert restored(data.test_images, data)[3].float().mean((1, 2)).tolist() == [0.0, 255.0, 0.0]
    small = load("folder", tmp_path, image_size=8)
    assert small.input_shape == (3, 8, 8)
    assert restored(small.test_images, small)[3].float().mean((1, 2)).tolist() == [0.0, 255.0, 0.0]
    put(tmp_path / "train/cat/x.png", size=(3, 500))
    assert load("folder", tmp_path).input_shape == (3, 8, 8)


def test_equal_sizes_are_kept_even_when_not_square(tmp_path):
    image_tree(tmp_path, size=(14, 9))
    assert load("folder", tmp_path).input_shape == (3, 9, 14)


def test_hidden_and_foreign_files_are_passed_over(tmp_path):
    image_tree(tmp_path)
    for name in (
        "train/.DS_Store",
        "train/cat/.hidden.png",
        "train/cat/notes.txt",
        ".git/x.png",
        "README.md",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "train/.hidden-class").mkdir()
    data = load("folder", tmp_path)
    assert (len(data.train_labels), data.class_names) == (6, ("cat", "dog"))


def test_layout_faults_are_named(tmp_path):
    with pytest.raises(DataError, match="holds 0 class folders, expected at least 2"):
        load("folder", tmp_path)
    image_tree(tmp_path)
    (tmp_path / "train/emu").mkdir()
    with pytest.raises(DataError, match=r"class 'emu' has no images in .*train/emu'.*found nothing"):
        load("folder", tmp_path)
    (tmp_path / "train/emu/a.gif").write_bytes(b"")
    with pytest.raises(DataError, match=r"class 'emu'.*found only a\.gif"):
        load("folder", tmp_path)
    put(tmp_path / "train/emu/a.png")
    with pytest.raises(DataError, match=r"class folder '.*val/emu' is missing"):
        load("folder", tmp_path)
    put(tmp_path / "val/emu/a.png")
    put(tmp_path / "val/fox/a.png")
    with pytest.raises(DataError, match=r"classes that .* lacks: fox"):
        load("folder", tmp_path)


def test_lone_images_and_a_test_part_without_train_are_refused(tmp_path):
    image_tree(tmp_path / "lone", parts=("",), n=1)
    with pytest.raises(DataError, match="class 'cat' has 1 image"):
        load("folder", tmp_path / "lone")
    image_tree(tmp_path / "bare", parts=("test/", "val/"))
    with pytest.raises(DataError, match="has 'val' but no 'train' folder"):
        load("folder", tmp_path / "bare")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="expected a folder of images, found a file"):
        load("folder", tmp_path / "file")


def damaged(file, kind):
    whole = file.read_bytes()
    file.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "text": b"<html>not found</html>",
            "flipped": whole[:-30] + bytes(20) + whole[-10:],
        }[kind]
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "ppm"])
@pytest.mark.parametrize("kind", ["cut", "empty", "text"])
def test_damaged_images_are_named(tmp_path, kind, suffix):
    image_tree(tmp_path)
    file = tmp_path / f"val/dog/bad.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    damaged(file, kind)
    with pytest.raises(DataError, match=rf"val/dog/bad\.{suffix}' cannot be decoded: expected a whole PNG"):
        load("folder", tmp_path)


def test_images_of_other_kinds_under_a_false_suffix_are_refused(tmp_path):
    image_tree(tmp_path)
    put(tmp_path / "train/cat/x.png", format="GIF", mode="L")
    with pytest.raises(DataError, match=r"x\.png' cannot be decoded"):
        load("folder", tmp_path)
    put(tmp_path / "train/cat/x.png", mode="I;16")
    with pytest.raises(DataError, match=r"x\.png' has pixels of mode 'I;16', expected 8-bit"):
        load("folder", tmp_path)


def test_pixel_bombs_are_refused(tmp_path, monkeypatch):
    image_tree(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="DecompressionBomb"):
        load("folder", tmp_path)


# --- the cache ---------------------------------------------------------------------------------------------------


def test_the_cache_is_used_outside_the_data_folder_and_follows_changes(tmp_path, own_cache):
    image_tree(tmp_path)
    put(tmp_path / "train/cat/0.bmp", value=3)
    before = snapshot(tmp_path)
    first = load("folder", tmp_path)
    assert snapshot(tmp_path) == before
    (entry,) = own_cache.rglob("*.safetensors")
    state = entry.stat().st_mtime_ns
    assert load("folder", tmp_path).fingerprint == first.fingerprint
    assert entry.stat().st_mtime_ns == state
    put(tmp_path / "train/cat/0.bmp", value=200)  # of the same size: only its time tells
    changed = load("folder", tmp_path)
    assert changed.fingerprint != first.fingerprint
    assert restored(changed.train_images, changed)[0, 0, 0, 0] == 200


def test_a_cached_set_is_loaded_without_decoding_and_tells_the_same_story(tmp_path, monkeypatch):
    image_tree(tmp_path, size=(20, 20))
    put(tmp_path / "train/cat/odd.png", size=(30, 20))
    first = load("folder", tmp_path)
    monkeypatch.setattr(Image, "open", lambda *_args, **_options: pytest.fail("decoded again"))
    again = load("folder", tmp_path)
    assert (again.fingerprint, again.source) == (first.fingerprint, first.source)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 64])
def test_a_damaged_cache_entry_is_decoded_anew(tmp_path, own_cache, content):
    image_tree(tmp_path)
    first = load("folder", tmp_path)
    (entry,) = own_cache.rglob("*.safetensors")
    size = entry.stat().st_size
    entry.write_bytes(content)
    assert load("folder", tmp_path).fingerprint == first.fingerprint
    assert entry.stat().st_size == size


@pytest.mark.parametrize("place", ["inside", "unwritable"])
def test_without_a_usable_cache_loading_still_works(tmp_path, monkeypatch, place):
    root = image_tree(tmp_path / "images")
    (tmp_path / "file").write_text("in the way")
    before = snapshot(root)
    monkeypatch.setenv("NAXBO_CACHE", str(root / "cache" if place == "inside" else tmp_path / "file"))
    assert len(load("folder", root).train_labels) == 6
    assert snapshot(root) == before


def test_the_platform_cache_folder_is_used_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("NAXBO_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load("folder", image_tree(tmp_path / "images"))
    assert len(list((tmp_path / "xdg/naxbo").rglob("*.safetensors"))) == 1


# --- Tiny ImageNet ------------------------------------------------------------------------------------------------


def tiny_tree(root, n=4):
    wnids = ["n02", "n01", "n03"]  # numbered in the order of the file, not by name
    put(root / "val/images/val_0.JPEG", size=(64, 64), value=50)
    put(root / "val/images/val_1.JPEG", size=(64, 64), value=150)
    for label, wnid in enumerate(wnids):
        for i in range(n):
            put(root / f"train/{wnid}/images/{wnid}_{i}.JPEG", size=(64, 64), value=20 * label + i)
    put(root / "train/n03/images/grey.JPEG", size=(64, 64), mode="L", value=240)
    (root / "wnids.txt").write_text("\n".join(wnids) + "\n")
    (root / "val/val_annotations.txt").write_text(
        "val_0.JPEG\tn03\t0\t0\t62\t62\nval_1.JPEG\tn02\t1\t1\t60\t60\n"
    )
    return root


@pytest.mark.parametrize("inner", ["", "tiny-imagenet-200"])
def test_tiny_imagenet_layout(tmp_path, inner):
    tiny_tree(tmp_path / inner)
    data = load("tiny-imagenet", tmp_path)
    assert (data.class_names, data.input_shape) == (("n02", "n01", "n03"), (3, 64, 64))
    assert data.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 5
    assert data.test_labels.tolist() == [2, 0]
    assert (restored(data.test_images, data)[:, 0, 0, 0] - torch.tensor([50, 150])).abs().max() <= 2
    grey = restored(data.train_images, data)[8]  # 'grey' sorts before 'n03_0'
    assert (grey - 240).abs().max() <= 2
    assert load("tiny-imagenet", tmp_path, image_size=32).input_shape == (3, 32, 32)
    assert torch.bincount(load("tiny-imagenet", tmp_path, train=6, test=6).train_labels).tolist() == [2, 2, 2]


def test_tiny_imagenet_faults_are_named(tmp_path):
    annotations = tiny_tree(tmp_path) / "val/val_annotations.txt"
    damaged(tmp_path / "train/n01/images/n01_2.JPEG", "cut")
    with pytest.raises(DataError, match=r"n01_2\.JPEG' cannot be decoded"):
        load("tiny-imagenet", tmp_path)
    text = annotations.read_text()
    annotations.write_text(text + "val_2.JPEG\tn09\t0\t0\t1\t1\n")
    with pytest.raises(
        DataError, match=r"val_annotations\.txt' line 3: expected .* found 'val_2\.JPEG\\tn09"
    ):
        load("tiny-imagenet", tmp_path)
    annotations.write_text(text + "val_7.JPEG\tn01\t0\t0\t1\t1\n")
    with pytest.raises(DataError, match=r"line 3: no image 'val_7\.JPEG'"):
        load("tiny-imagenet", tmp_path)
    annotations.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"cannot read .*val_annotations\.txt"):
        load("tiny-imagenet", tmp_path)
    annotations.write_text("")
    with pytest.raises(DataError, match="lists no images"):
        load("tiny-imagenet", tmp_path)
    (tmp_path / "wnids.txt").write_text("n01\nn01\n")
    with pytest.raises(DataError, match="must list each class once"):
        load("tiny-imagenet", tmp_path)
    (tmp_path / "wnids.txt").write_text("n01\nn77\n")
    with pytest.raises(DataError, match=r"cannot list '.*n77/images'"):
        load("tiny-imagenet", tmp_path)
