"""What the other backends are held against, made under TensorFlow: ``python -m tests.backends.reference FOLDER``.

FOLDER gets ``NAME.weights.h5``, random weights written by `save_weights`, and ``outputs.npz``: the outputs with them,
and those of the entry on the shelf.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from automl_cells.training import save_weights
from tests.backends.networks import entry_outputs, noise, random_network, randomise, small_networks

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
assert keras.backend.backend() == "tensorflow"
model = random_network()
randomise(model)
save_weights(model, folder / "random.weights.h5")
again = random_network(folder / "random.weights.h5")  # as a reader has it: what the file holds is rounded
outputs = {"random": again.predict_on_batch(noise()), "entry": entry_outputs()}
for name, network in small_networks().items():
    randomise(network)
    save_weights(network, folder / f"{name}.weights.h5", "float32")
    outputs[name] = network.predict_on_batch(noise())
np.savez(folder / "outputs.npz", **outputs)
