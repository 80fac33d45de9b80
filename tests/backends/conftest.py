"""For the environments without TensorFlow (``make test-backends``); elsewhere nothing of this folder is collected."""

from __future__ import annotations

import os

if "AUTOML_CELLS_REFERENCE" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
