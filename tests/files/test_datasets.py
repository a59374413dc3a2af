"""The bundled digits, IDX files whole and broken, MNIST folders, and the stratified split."""

from __future__ import annotations

import gzip
import math
import os
import struct
import tracemalloc

import numpy as np
import pytest

from eigenmlp.datasets import (
    load_digits,
    load_idx,
    load_mnist,
    stratified_split,
)

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def header(code, *shape):
    return struct.pack(f">4B{len(shape)}I", 0, 0, code, len(shape), *shape)


@pytest.fixture
def write(tmp_path):
    def write(data, name="values.idx"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


class TestDigits:
    def test_shapes_dtypes_and_range(self):
        X, y = load_digits()
        assert X.shape == (1797, 64) and X.dtype == np.float32 and X.flags.c_contiguous
        assert y.shape == (1797,) and y.dtype == np.int64
        assert X.min() == 0 and X.max() == 1
        assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]

    def test_same_as_scikit_learn(self):
        sklearn_datasets = pytest.importorskip("sklearn.datasets")
        X, y = sklearn_datasets.load_digits(return_X_y=True)
        np.testing.assert_array_equal(load_digits()[0], X / 16)
        np.testing.assert_array_equal(load_digits()[1], y)

    def test_each_call_gives_arrays_of_its_own(self):
        X, y = load_digits()
        X[:], y[:] = -1, -1
        assert load_digits()[0].min() == 0 and load_digits()[1].min() == 0


class TestIdx:
    @pytest.mark.parametrize("dtype", CODES)
    @pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 3), (1, 1, 1, 1)])
    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    def test_every_dtype_and_shape_comes_back(self, write, dtype, shape, compress):
        values = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
        read = load_idx(write(compress(idx_bytes(values))))
        np.testing.assert_array_equal(read, values)
        assert read.dtype == np.dtype(dtype) and read.dtype.isnative
        assert read.flags.c_contiguous and read.flags.writeable

    def test_a_path_may_be_a_string(self, write):
        assert load_idx(str(write(idx_bytes(np.ones(3, "u1"))))).tolist() == [1, 1, 1]

    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", r"header of 4 bytes, the file has 0"),
            (b"\0\0", r"header of 4 bytes, the file has 2"),
            (b"PK\3\4 a zip archive", r"start with 00 00, got 50 4b 03 04"),
            (b"\0\0\x0a\1\0\0\0\1\0", r"dtype code among 08, 09, 0b, .*got 0a"),
            (header(0x08), r"1 to 32 dimensions, got 0"),
            (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\0", r"1 to 32 dimensions, got 255"),
            (b"\0\0\x08\3\0\0\0\1\0\0", r"3 dimensions in 12 bytes, the file has 6"),
            (header(0x08, 10) + b"123456789", r"10 bytes of values, the file (has|can).*truncated"),
            (header(0x0D, 2, 2) + bytes(15), r"16 bytes of values, the file (has|can).*truncated"),
            (header(0x08, 3) + b"1234", r"3 bytes of values, but more bytes follow"),
            (header(0x08, 0) + b"1", r"0 bytes of values, but more bytes follow"),
            (header(0x08, 2**32 - 1, 2**32 - 1), r"truncated|exceed any possible file"),
            (header(0x0E, 2**31, 2**31, 2**31), r"exceed any possible file"),
            (header(0x08, 0, 2**32 - 1, 2**32 - 1, 2**32 - 1), r"exceed any possible file"),
            (header(0x08, *[2**31] * 32), r"exceed any possible file"),
            (header(0x08, 0, *[2**31] * 2, *[1] * 29) + b"1", r" 0 bytes of values, but more"),
        ],
    )
    def test_malformed_files_are_refused(self, write, data, message, compress):
        path = write(compress(data))
        with pytest.raises(ValueError, match=message) as caught:
            load_idx(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value).replace(str(path), "")) < 400

    @pytest.mark.parametrize("cut", [1, 5, 12, -9, -1])
    def test_truncated_gzip_is_refused(self, write, cut):
        whole = gzip.compress(idx_bytes(np.arange(1000, dtype="i4")))
        with pytest.raises(ValueError, match=r"damaged one|IDX header"):
            load_idx(write(whole[:cut]))

    def test_altered_gzip_is_refused(self, write):
        data = bytearray(gzip.compress(idx_bytes(np.arange(1000, dtype="i4"))))
        data[len(data) // 2] ^= 0xFF
        with pytest.raises(ValueError, match=r"values\.idx"):
            load_idx(write(bytes(data)))

    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    def test_a_huge_claim_allocates_nothing(self, write, compress):
        path = write(compress(header(0x08, 2**30, 2**9) + bytes(100)))
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="truncated"):
                load_idx(path)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"absent.*expected an IDX file"):
            load_idx(tmp_path / "absent")

    def test_directory(self, tmp_path):
        with pytest.raises(ValueError, match="got a directory"):
            load_idx(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_pipe_is_refused_and_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="not a regular file"):
            load_idx(tmp_path / "pipe")


def make_mnist(directory, rows=(6, 4), size=(3, 2), joint="-", ending=""):
    """Write four small IDX files under MNIST's names; return what load_mnist should give."""
    rng = np.random.default_rng(0)
    wanted = {}
    for prefix, n in zip(("train", "t10k"), rows, strict=True):
        images = rng.integers(0, 256, (n, *size), dtype=np.uint8)
        images[0, 0, 0] = 255
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        for stem, array in ((f"images{joint}idx3", images), (f"labels{joint}idx1", labels)):
            data = idx_bytes(array)
            path = directory / f"{prefix}-{stem}-ubyte{ending}"
            path.write_bytes(gzip.compress(data) if ending else data)
        wanted[prefix] = (images.reshape(n, -1) / np.float32(255), labels)
    return wanted


class TestMnist:
    @pytest.mark.parametrize("joint", ["-", "."])
    @pytest.mark.parametrize("ending", ["", ".gz"])
    def test_splits(self, tmp_path, joint, ending):
        wanted = make_mnist(tmp_path, joint=joint, ending=ending)
        for split, prefix in (("train", "train"), ("test", "t10k")):
            X, y = load_mnist(tmp_path, split=split)
            assert X.dtype == np.float32 and y.dtype == np.int64
            np.testing.assert_array_equal(X, wanted[prefix][0])
            np.testing.assert_array_equal(y, wanted[prefix][1])
        np.testing.assert_array_equal(load_mnist(tmp_path)[1], wanted["train"][1])
        X, y = load_mnist(str(tmp_path), split="all")
        assert X.shape == (10, 6) and X.max() == 1
        np.testing.assert_array_equal(y, np.concatenate([wanted["train"][1], wanted["t10k"][1]]))

    def test_missing_files_are_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte, .*\.gz.*none"):
            load_mnist(tmp_path)
        make_mnist(tmp_path)
        (tmp_path / "t10k-labels-idx1-ubyte").unlink()
        assert len(load_mnist(tmp_path)[0]) == 6
        with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
            load_mnist(tmp_path, split="test")

    def test_missing_folder_and_file_for_a_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="expected a folder of IDX files"):
            load_mnist(tmp_path / "absent")
        (tmp_path / "file").touch()
        with pytest.raises(ValueError, match="got a file"):
            load_mnist(tmp_path / "file")

    def test_unknown_split(self, tmp_path):
        with pytest.raises(ValueError, match=r"'train', 'test', 'all'\], got 'validation'"):
            load_mnist(tmp_path, split="validation")

    @pytest.mark.parametrize(
        ("name", "array", "message"),
        [
            ("images-idx3", np.ones((6, 4), "u1"), r"images as uint8 .*got uint8 \(6, 4\)"),
            ("images-idx3", np.ones((6, 3, 2), "f4"), r"images as uint8 .*got float32"),
            ("images-idx3", np.ones((0, 3, 2), "u1"), r"images as uint8 .*got uint8 \(0, 3, 2\)"),
            ("labels-idx1", np.ones((6, 1), "u1"), r"labels as uint8 \(N,\), got uint8 \(6, 1\)"),
            ("labels-idx1", np.ones(6, "i4"), r"labels as uint8 \(N,\), got int32"),
            ("labels-idx1", np.ones(5, "u1"), r"one label for each of the 6 images .*got 5"),
        ],
    )
    def test_files_that_do_not_fit(self, tmp_path, name, array, message):
        make_mnist(tmp_path)
        (tmp_path / f"train-{name}-ubyte").write_bytes(idx_bytes(array))
        with pytest.raises(ValueError, match=message):
            load_mnist(tmp_path)

    def test_images_of_two_sizes_cannot_be_joined(self, tmp_path):
        make_mnist(tmp_path)
        (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(np.ones((4, 5, 5), "u1")))
        with pytest.raises(ValueError, match="got 6 pixels in train and 25 in t10k"):
            load_mnist(tmp_path, split="all")


class TestStratifiedSplit:
    def test_digits(self):
        _, y = load_digits()
        train, test = stratified_split(y, 0.2, np.random.default_rng(1))
        assert len(test) == round(0.2 * len(y))
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
        assert np.abs(np.bincount(y[test]) - 0.2 * np.bincount(y)).max() < 1

    def test_seed_decides(self):
        y = np.arange(100) % 4
        np.testing.assert_array_equal(
            stratified_split(y, 0.3, 7)[1], stratified_split(y, 0.3, 7)[1]
        )
        assert (stratified_split(y, 0.3, 7)[1] != stratified_split(y, 0.3, 8)[1]).any()

    @pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
    def test_every_class_keeps_a_training_row(self, fraction):
        y = np.repeat(np.arange(6), [1, 1, 2, 3, 10, 40])
        train, test = stratified_split(y, fraction, 0)
        assert set(y[train]) == set(range(6))
        assert len(train) + len(test) == len(y) and len(test) <= round(fraction * len(y))

    def test_labels_may_be_any_classes(self):
        train, test = stratified_split(["cat", "dog"] * 5, 0.2, 0)
        assert len(train) == 8 and sorted(test % 2) == [0, 1]

    @pytest.mark.parametrize(
        ("y", "fraction", "message"),
        [
            ([], 0.2, r"N at least 1; got \(0,\)"),
            ([[1, 2]], 0.2, r"got \(1, 2\)"),
            ([0.5, 1.5], 0.2, "integers or strings, got float64"),
            ([0, 1], 0, "between 0 and 1, got 0"),
            ([0, 1], 1.0, "between 0 and 1, got 1.0"),
            ([0, 1], math.nan, "fraction: expected a finite number, got nan"),
        ],
    )
    def test_bad_input(self, y, fraction, message):
        with pytest.raises(ValueError, match=message):
            stratified_split(y, fraction)
