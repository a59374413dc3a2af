"""``eigenmlp`` refuses arguments in one line."""

from __future__ import annotations

import numpy as np
import pytest

import eigenmlp as em


class TestBadArguments:
    @pytest.mark.parametrize(
        ("arguments", "pattern"),
        [
            ("", "required: COMMAND"),
            ("teach digits", "invalid choice: 'teach'"),
            ("train", "required: DATA"),
            ("train digits --fast", "unrecognized arguments: --fast"),
            ("train digit", r"digits, mnist, or a \.npz or \.csv file to read .*; got 'digit'"),
            ("train data.txt", r"data\.txt: expected a table, found no such file"),
            ("train mnist", "mnist needs --data DIR"),
            ("train mnist --data absent", "absent: expected a folder of IDX files"),
            ("train mnist --data .", "looked for train-images-idx3-ubyte"),
            ("train digits --data .", "--data goes with mnist only"),
            ("train digits --hidden 12,x", "--hidden: expected positive sizes .*'12,x'"),
            ("train digits --hidden 0", "--hidden: expected positive sizes .*'0'"),
            ("train digits --hidden ,", "--hidden: expected positive sizes"),
            ("train digits --activation swosh", "relu.*swosh|swosh.*relu"),
            ("train digits --epochs 0", "--epochs: expected a positive integer, got '0'"),
            ("train digits --epochs 1.5", "--epochs: expected a positive integer, got '1.5'"),
            ("train digits --epochs", "--epochs: expected one argument"),
            ("train digits --batch-size -3", "--batch-size: expected a positive integer"),
            ("train digits --lr 0", "--lr: expected a positive number, got '0'"),
            ("train digits --lr nan", "--lr: expected a positive number, got 'nan'"),
            ("train digits --lr fast", "--lr: expected a number, got 'fast'"),
            ("train digits --momentum 1", "--momentum: expected a number from 0 to below 1"),
            ("train digits --dropout 1", "--dropout: expected a number from 0 to below 1"),
            ("train digits --optimizer best", "--optimizer: invalid choice: 'best'"),
            ("train digits --optimizer adam --momentum 0.5", "--momentum goes with sgd and rmsp"),
            ("train digits --loss best", "--loss: expected one of .*softmax.*'best'"),
            ("train digits --loss segment_cross_entropy", "--loss: expected one of"),
            ("train digits --loss huber(delta=-1)", "--loss: Huber: delta: expected a number"),
            ("train digits --loss huber(gamma=1)", "--loss: expected parameters .*'gamma'"),
            ("train digits --loss sigmoid_cross_entropy", r"y: expected .*\[0, 1\]"),
            ("train digits --schedule step", "--schedule: invalid choice: 'step'"),
            ("train digits --weight-decay -1", "--weight-decay: expected a number of 0 or more"),
            ("train digits --clip-norm 0", "--clip-norm: expected a positive number, got '0'"),
            ("train digits --seed -1", "--seed: expected an integer of 0 or more, got '-1'"),
            ("train digits --threads 0", "--threads: expected a positive integer, got '0'"),
            ("train digits --backend gpu", "--backend: invalid choice: 'gpu'"),
            ("train digits --save .", r"--save: expected a file to write, \. is a folder"),
            ("train digits --save no/where", "--save: cannot write no/where: there is no folder"),
            ("predict", "required: MODEL, DATA"),
            ("predict absent.safetensors digits", r"absent\.safetensors: expected a saved model"),
            ("predict . digits", "expected a saved model, got something that is not a file"),
            ("predict m digits --out a.doc", r"--out: expected a \.csv, \.txt or \.npy file"),
            ("predict m digits --out no/where.csv", "--out: cannot write no/where.csv"),
            ("evaluate absent.safetensors digits", "expected a saved model, found no such file"),
        ],
    )
    def test_refused(self, empty_folder, refused, arguments, pattern):
        refused(arguments.split(), pattern)
        assert not list(empty_folder.iterdir())

    def test_values_have_no_classes(self, refused):
        np.savez("data.npz", X=np.zeros((20, 2)), y=np.linspace(0, 1, 20))
        command = ["train", "data.npz", "--loss", "softmax_cross_entropy"]
        refused(command, "--loss: softmax_cross_entropy tells classes apart, expected integer")

    def test_plot_and_save_are_two_files(self, refused):
        pytest.importorskip("matplotlib")
        refused(["train", "digits", "--plot", "a.png", "--save", "a.png"], "expected two files")
        refused(["train", "digits", "--plot", "a.doc"], r"ends in .*\.png.*got a\.doc")

    def test_a_device_is_not_replaced(self, refused):
        refused(["train", "digits", "--save", "/dev/null"], "not a regular file")

    @pytest.mark.parametrize(
        "odd", ["x" * 3000, "1" * 5000, "\ud800", "a\0b", "relu(1," + 999 * "1,"]
    )
    @pytest.mark.parametrize(
        "option",
        [
            *("--hidden", "--activation", "--epochs", "--batch-size", "--lr", "--momentum"),
            *("--seed", "--threads", "--plot", "--loss", "--optimizer", "--schedule"),
            *("--weight-decay", "--clip-norm", "--dropout", "--compute-dtype", "--data"),
        ],
    )
    def test_options_that_nobody_expects(self, option, odd, refused, empty_folder):
        refused(["train", "digits", "--quiet", "--epochs", "1", option, odd], "error: ")

    def test_out_of_memory_is_one_line(self, refused, monkeypatch):
        def exhaust(*args, **options):
            raise MemoryError("Unable to allocate 7 TiB")

        monkeypatch.setattr(em, "MLP", exhaust)
        refused(["train", "digits"], "not enough memory: Unable to allocate 7 TiB")
