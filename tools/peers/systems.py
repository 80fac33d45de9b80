"""The systems by name: which script runs them, and in which environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from automl_cells.errors import SearchError

ROOT = Path(__file__).resolve().parents[2]


class System(NamedTuple):
    """A script of this folder, the folder of its environment (``None``: that of this process), and who it is."""

    module: str
    environment: str | None
    title: str

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return Path(sys.executable) if self.environment is None else ROOT / self.environment / "bin" / "python"


SYSTEMS = {
    "ours_blockqnn": System("ours", None, "automl_cells, blocks"),
    "ours_nasnet": System("ours", None, "automl_cells, cells"),
    "ours_metaqnn": System("ours", None, "automl_cells, chains"),
    "random_blockqnn": System("ours", None, "automl_cells, blocks at random"),
    "keras_tuner_random": System("keras_tuner_search", ".venv-keras-tuner", "KerasTuner, random, its guide's CNN"),
    "keras_tuner_hyperband": System(
        "keras_tuner_search", ".venv-keras-tuner", "KerasTuner, Hyperband, its guide's CNN"
    ),
    "hyper_resnet_random": System("keras_tuner_search", ".venv-keras-tuner", "KerasTuner, random, HyperResNet"),
    "hyper_resnet_hyperband": System("keras_tuner_search", ".venv-keras-tuner", "KerasTuner, Hyperband, HyperResNet"),
    "autokeras": System("autokeras_search", ".venv-autokeras", "AutoKeras"),
    "nasnet_mobile": System("nasnet_mobile", None, "keras.applications.NASNetMobile, from scratch"),
}


def chosen(names: str) -> list[str]:
    """The systems whose names are given with commas between them, once each, ready to run.

    Raises:
        SearchError: an unknown system, or one whose environment is not there.
    """
    found = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in found:
        if name not in SYSTEMS:
            raise SearchError(f"Expected systems among {list(SYSTEMS)}. Received: {name!r}")
        if not SYSTEMS[name].python.is_file():
            raise SearchError(
                f"Expected the environment {SYSTEMS[name].environment} of {name} (make peers). Received: none"
            )
    return found
