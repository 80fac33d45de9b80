"""The comparison of fine-tuning with training from scratch: what it refuses, and how images shrink."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from automl_cells.errors import DataError


@pytest.fixture(scope="module")
def transfer(tool):
    return tool("transfer")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "Expected --seeds from 1. Received: 0"),
        (["--images", "-1"], "Expected --images from 1. Received: -1"),
        (["--json", "."], "Expected a file for --json that can be written. Received: ."),
        (["blockqnn_mnist/mnist:nothing"], "Expected "),
        (["blockqnn_mnist/mnist"], "Expected ENTRY:DATASET, DATASET as NAME or NAME/CLASSES/SHRINK. Received: ''"),
        (["blockqnn_mnist/mnist:a/5"], "Expected ENTRY:DATASET, DATASET as NAME or NAME/CLASSES/SHRINK. Received: 'a"),
        (["blockqnn_mnist/mnist:a/5/0"], "Expected ENTRY:DATASET, DATASET as NAME or NAME/CLASSES/SHRINK. Received: "),
    ],
)
def test_bad_input_is_one_line_and_status_2(transfer, monkeypatch, capsys, tmp_path, words, message):
    command = ["transfer.py", "--data", str(tmp_path), "--work", str(tmp_path / "work"), *words]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match="2"):
        transfer.main()
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith(f"Error: {message}")
    assert not any("Traceback" in line for line in lines)


def test_images_that_do_not_divide_are_refused(transfer):
    with pytest.raises(DataError, match=r"^Expected SHRINK that divides 4 × 4 pixels\. Received: 3$"):
        transfer._shrunk(np.zeros((1, 4, 4, 1), np.uint8), 3)


def test_images_shrink_to_the_means_of_squares(transfer):
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    assert transfer._shrunk(images, 2)[0, :, :, 0].tolist() == [[2, 4], [10, 12]]  # 2.5 rounds to even, as 4.5 does
