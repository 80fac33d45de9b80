"""``python tools/fuzz.py``: thousands of damaged documents and files, and what the package does with them.

Each case damages one file of a copy of an entry, then does with it all that a user could: list, find, show, verify,
load weights, run an ONNX file. What is allowed: no error at all (much damage is none to a reader), or one of the
package's own error types. What is not: another exception, a crash, more than some seconds, more than some memory, or a
file written outside the folder of the case. The cases follow from the seed. Ends with status 1 if something was not
allowed.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from automl_cells.errors import AutoMLCellsError

SECONDS = 20
MEMORY = 4 << 30
SHOWN = 10  # failures of each process
COPY = "copy"
DOCUMENTS = ("index.json", "manifest.json", "genotype.json", "model.json", "metrics.json", "README.md", "derived.json")
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**30, 10**400, 1e308, float("nan"), float("-inf"), 2**63, "", " ",
    "../../outside", "../../../outside", "manifest.json/x", "/etc/passwd", "2026-01-01T00:00:00", "[/a]",
    "\x00", "\ud800", "a" * 100_000, "name/tag-v1", [], {}, [[]], {"a": {}}, [0] * 1000, "sha256:" + "0" * 64,
)  # fmt: skip


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, lost, doubled or added."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        # half of the time near the beginning, where formats keep their structure and not their numbers
        place = rng.randrange(rng.choice((len(data), min(len(data), 4096))) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[place % len(data)] = rng.choice((0, 255, rng.randrange(256)))
        elif kind == 2:
            del data[place : place + rng.randrange(1, 40)]
        elif kind == 3:
            data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
        else:
            data[place:place] = data[place : place + rng.randrange(1, 200)]
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


def damaged_document(content: bytes, rng: random.Random) -> bytes:
    """A JSON document with a value replaced, a key lost or renamed, or nested without end; or damaged bytes."""
    if rng.random() < 0.3:
        return damaged_bytes(content, rng)
    try:
        document = json.loads(content)
    except ValueError:
        return damaged_bytes(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(document))
        if not places:
            break
        container, key = rng.choice(places)
        kind = rng.randrange(6)
        if kind == 0:
            del container[key]
        elif kind == 1 and isinstance(container, dict):
            container[rng.choice(("", "extra", "../x", str(key).upper(), "a" * 5000))] = container.pop(key)
        elif kind == 2 and isinstance(container, list):
            container.extend([container[key]] * rng.choice((1, 50, 2000)))
        elif kind == 3 and type(container[key]) in (int, float):
            container[key] = container[key] * rng.choice((-1, 0, 2, 1000, 10**9, 10**18))
        else:
            container[key] = copy.deepcopy(rng.choice(JUNK))
    text = json.dumps(document)
    if rng.random() < 0.02:
        text = "[" * 100_000 + text
    return text.encode("utf-8", "surrogatepass")


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
    found: list[tuple[Any, Any]] = [(node, key) for key in keys]
    for key in keys:
        found += _places(node[key])
    return found


def read_everything(shelf: Path) -> None:
    """What a user could do with the documents of a shelf of one entry."""
    from automl_cells import zoo
    from automl_cells.zoo.card import card

    place = zoo.Shelf(shelf)
    (folder,) = [path.parent for path in shelf.glob("*/*/drawing.svg")]
    actions: list[Callable[[], Any]] = [
        lambda: zoo.list_models(shelf=place),
        lambda: zoo.info(f"{folder.parent.name}/{folder.name}", shelf=place),
        lambda: place.verify(),
        lambda: zoo.info(folder, shelf=place),
        lambda: card(zoo.Entry.read(folder), zoo.Address("name", "tag", 1), {}),
        lambda: zoo.Entry.read(folder).export_metadata(),
        lambda: zoo.Shelf(shelf.with_name(COPY)).add(place.find(f"{folder.parent.name}/{folder.name}"), derived=True),
        lambda: place.reindex(),
    ]
    _all(actions)


def load_weights(shelf: Path) -> None:
    """The weights file into a model of the entry, past the hash that would stop it."""
    from automl_cells import zoo

    (folder,) = [path.parent for path in shelf.glob("*/*/drawing.svg")]
    (folder / "manifest.json").unlink()
    construct = getattr(zoo, folder.parent.name)
    _all(
        [
            lambda: zoo.load(folder),
            lambda: construct(weights=folder / "model.weights.h5", include_top=False),
        ]
    )


def run_onnx(shelf: Path) -> None:
    """The ONNX file in ONNX Runtime, and its metadata."""
    import numpy as np

    from automl_cells.export import load_onnx, read_metadata

    (path,) = shelf.glob("*/*/model.onnx")
    _all([lambda: read_metadata(path), lambda: load_onnx(path)(np.zeros((1, 28, 28, 1), np.float32))])


def _all(actions: list[Callable[[], Any]]) -> None:
    """Each action, whatever the package says of the one before; the last thing said is raised at the end."""
    said = None
    for action in actions:
        try:
            action()
        except AutoMLCellsError as error:
            said = error
    if said is not None:
        raise said


KINDS: dict[str, tuple[tuple[str, ...], Callable[[bytes, random.Random], bytes], Callable[[Path], None]]] = {
    "documents": (DOCUMENTS, damaged_document, read_everything),
    "weights": (("model.weights.h5",), damaged_bytes, load_weights),
    "onnx": (("model.onnx",), damaged_bytes, run_onnx),
}


def run_cases(kind: str, source: Path, first: int, last: int, seed: int) -> Counter[str]:
    """The cases from `first` up to `last`; prints each before it starts, so that a crash names its case."""
    files, damage, use = KINDS[kind]
    results: Counter[str] = Counter()
    signal.signal(signal.SIGALRM, _late)
    for number in range(first, last):
        print(f"case {number}", flush=True)
        rng = random.Random(f"{seed} {kind} {number}")
        with tempfile.TemporaryDirectory() as name:
            shelf = Path(name, "a", "b", "shelf")  # deep enough for a path that leads out of it to end up in `name`
            shutil.copytree(source, shelf)
            present = sorted(path for file in files for path in shelf.rglob(file))
            path = rng.choice(present)
            path.write_bytes(damage(path.read_bytes(), rng))
            signal.alarm(SECONDS)
            try:
                use(shelf)
                results["accepted"] += 1
            except AutoMLCellsError as error:
                results["refused"] += 1
                if "\n" in str(error) or len(str(error)) > 3000:
                    results["refused at length"] += 1
                    print(f"failure {number} in {path.name}: more than a line: {error!s:.300}", flush=True)
            except BaseException as error:
                results["wrong"] += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                print(f"failure {number} in {path.name}: {type(error).__name__}: {error!s:.200} at {where}", flush=True)
            finally:
                signal.alarm(0)
            if outside := _outside(Path(name), (shelf, shelf.with_name(COPY))):
                results["wrote outside"] += 1
                print(f"failure {number} in {path.name}: wrote {outside[0]}", flush=True)
    return results


def _outside(folder: Path, allowed: tuple[Path, ...]) -> list[Path]:
    """The files in a folder that lie in none of some of its folders."""
    return [p for p in folder.rglob("*") if not p.is_dir() and not any(p.is_relative_to(each) for each in allowed)]


def _late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def fuzz(kind: str, cases: int, source: Path, seed: int, chunk: int = 500) -> dict[str, int]:
    """All cases of a kind, in processes that a crash may end; each gets a bounded amount of memory."""
    total: Counter[str] = Counter()
    start = time.monotonic()
    first = 0
    while first < cases:
        last = min(cases, first + chunk)
        command = [sys.executable, __file__, "--child", kind, str(source), str(first), str(last), "--seed", str(seed)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        lines = done.stdout.splitlines()
        for line in [line for line in lines if line.startswith("failure")][:SHOWN]:
            print(line, file=sys.stderr)
        if done.returncode == 0:
            total.update(json.loads(lines[-1]))
            first = last
        else:
            begun = [int(line.split()[1]) for line in lines if line.startswith("case")]
            at = begun[-1] if begun else first
            print(f"failure {at} of {kind}: the process ended with {done.returncode}", file=sys.stderr)
            total.update({"crashed": 1, "before a crash": at - first})
            first = at + 1
        left = (time.monotonic() - start) / first * (cases - first)
        print(f"{kind}: {first} of {cases}, {left:.0f} s left", file=sys.stderr)
    return dict(total)


def _child(kind: str, source: str, first: str, last: str, seed: int) -> None:
    if kind != "documents":
        from automl_cells.cli.quiet import import_framework

        import_framework()
        import onnxruntime  # noqa: F401
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    print(json.dumps(run_cases(kind, Path(source), int(first), int(last), seed)))


def main() -> None:
    """Run all kinds and print what happened, JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=5000, help="damaged documents")
    parser.add_argument("--files", type=int, default=500, help="damaged weights and ONNX files together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, source, first, last = arguments.child
        _child(kind, source, first, last, arguments.seed)
        return
    with tempfile.TemporaryDirectory() as name:
        source = prepare(Path(name, "source"))
        cases = {"documents": arguments.documents, "weights": arguments.files // 2}
        cases["onnx"] = arguments.files - cases["weights"]
        results = {kind: fuzz(kind, count, source, arguments.seed) for kind, count in cases.items()}
    print(json.dumps(results, indent=1))
    bad = ("wrong", "crashed", "wrote outside", "refused at length")
    sys.exit(any(result.get(what) for result in results.values() for what in bad))


def prepare(folder: Path) -> Path:
    """A shelf with one small entry of the checkout's own, and its ONNX file."""
    import numpy as np

    from automl_cells import zoo
    from automl_cells.cli.quiet import import_framework

    import_framework()
    entry = zoo.Shelf(Path(__file__).parents[1] / "zoo").find("blockqnn_mnist/mnist")
    shelf = zoo.Shelf(folder)
    shelf.add(entry)
    here = shelf.find(str(entry.address))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    zoo.build_entry(here, data=pictures, formats=["onnx"])
    return folder


if __name__ == "__main__":
    main()
