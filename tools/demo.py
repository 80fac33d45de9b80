"""``make demo``: the whole path on real data, with the very commands that a user would type.

Search a block on the handwritten digits that ship inside scikit-learn, train the three best fully, put the best
by validation on a shelf, derive SavedModel and ONNX with the parity measured, and draw the block. Every run gets a
folder of its own, demo/1, demo/2, …; the shelf demo/shelf is theirs together.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path("demo")
COMMAND = Path(sys.executable).with_name("automl-cells")


def main() -> None:
    """Run the demo; a command that fails ends it with that command's status."""
    start = time.monotonic()
    run = next(DEMO / str(number) for number in range(1, 10_000) if not (DEMO / str(number)).exists())
    search, shelf = run / "search", DEMO / "shelf"

    _step("Search 60 blocks with small networks, two at a time; at twice the width they stay below 100,000 parameters")
    _call(
        "search --space blockqnn --strategy q_learning --dataset digits --trials 60 --workers 2 --max-params 25000 "
        f"--template cifar --repeats 1 --filters 8,16,32 --seed 1 --out {search}"
    )
    _step("Build the three best twice as wide and train them fully; validation images choose among them")
    _call(f"finetune-top {search} --top 3 --filters 16,32,64")
    trained = Path(json.loads((search / "top" / "summary.json").read_text())[0]["run"])
    _step("Look at the chosen block")
    _call(f"show {trained} --svg {run}/block.svg")
    _step("Put it on a shelf as a version")
    _call(f"zoo publish {trained} --to {shelf}")
    entry = _address(trained, shelf)
    _step("Derive SavedModel and ONNX, load them again and compare them with Keras on real digits")
    _call(f"zoo build {entry} --shelf {shelf}")

    metrics = json.loads((trained / "entry" / "metrics.json").read_text())
    folder = shelf / entry
    print(
        f"\nDone in {time.monotonic() - start:.0f} s: {metrics['test_accuracy']:.2f} % on {metrics['test_images']} "
        f"digits never seen before, {metrics['parameters']:,} parameters.\n\n"
        f"  every candidate   {search}/journal.sqlite\n"
        f"  search curve      {search}/search_curve.svg\n"
        f"  genotype          {trained}/entry/genotype.json\n"
        f"  drawing           {run}/block.svg\n"
        f"  zoo entry, card   {folder}/README.md\n"
        f"  SavedModel        {folder}/savedmodel/\n"
        f"  ONNX              {folder}/model.onnx\n\n"
        "Next:\n"
        f"  {COMMAND} trials {search} --sort reward\n"
        f"  {COMMAND} zoo show {entry} --shelf {shelf}\n"
        f"  {COMMAND} build {trained}/entry/genotype.json --template imagenet_mobile\n"
        f"  {COMMAND} search --help        (your own images: --dataset npz:FILE)"
    )


def _step(title: str) -> None:
    print(f"\n── {title}", flush=True)


def _call(arguments: str) -> None:
    print(f"$ automl-cells {arguments}", flush=True)
    status = subprocess.run([str(COMMAND), *shlex.split(arguments)]).returncode
    if status:
        sys.exit(status)


def _address(trained: Path, shelf: Path) -> str:
    """The newest version of the entry that was just published."""
    from automl_cells.zoo import Shelf

    document = json.loads((trained / "entry" / "model.json").read_text())
    return str(Shelf(shelf).find(f"{document['name']}/{document['tag']}").address)


if __name__ == "__main__":
    main()
