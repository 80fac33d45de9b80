"""Transfer as MetaQNN tested it: the best network of one data set on another, from scratch and fine-tuned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from automl_cells.builder.image_size import check_size
from automl_cells.datasets import Dataset, load
from automl_cells.errors import ZooError
from automl_cells.search.run_folder import JOURNAL
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.finetune import finetune
from automl_cells.zoo.locate import resolve
from automl_cells.zoo.manifest import read_json

if TYPE_CHECKING:
    from automl_cells.training.finetune_model import FinetuneResult
    from automl_cells.zoo.remote.shelf import RemoteShelf
    from automl_cells.zoo.shelf import Shelf

FROM_SCRATCH, FINETUNED = "from_scratch", "finetuned"
"""The run folders in the folder of a transfer."""


class Transfer(NamedTuple):
    """Both trainings; ``metrics["test_accuracy"]`` of each is in per cent."""

    from_scratch: FinetuneResult
    finetuned: FinetuneResult


def transfer(source: str | Path | Entry, dataset: Dataset | str, *, out: str | Path, **options: Any) -> Transfer:
    """Train the network of `source` on other data twice: from random weights, and from its own.

    Both see the same images in the same recipe, for as many epochs in all. MetaQNN (arXiv 1611.02167v2, table 5) found
    its best CIFAR-10 chain better from scratch than fine-tuned on CIFAR-100, SVHN and MNIST (27.14, 2.48 and 0.80 %
    error against 34.93, 4.00 and 0.81).

    Args:
        source: an entry or its address or folder, the folder of a training, or of a search whose best were trained with
            ``finetune-top``: then the best of them.
        dataset: the other data.
        out: the folder for the two run folders, ``from_scratch`` and ``finetuned``.
        **options: as `finetune` takes them, but for ``from_scratch``.

    Raises:
        ZooError: no such entry, or a search without a trained network.
        TrainingError: see `finetune`.
        TemplateError: images of a size that the weights are not for.
        DataError: the data set cannot be used.
    """
    from automl_cells.training.entry import check_trainable
    from automl_cells.training.finetune import target

    entry = source_entry(source, options.get("shelf"))
    data, out = load(dataset), Path(out)
    check_trainable(entry.genotype)
    check_size(entry.genotype, entry.template, target(entry.template, data)[1], head=False)
    scratch = finetune(entry, data, out=out / FROM_SCRATCH, from_scratch=True, **options)
    return Transfer(scratch, finetune(entry, data, out=out / FINETUNED, **options))


def source_entry(source: str | Path | Entry, shelf: Shelf | RemoteShelf | None = None) -> Entry:
    """The entry that `transfer` starts from.

    Raises:
        ZooError: no such entry, or a search without a trained network.
    """
    if isinstance(source, Entry):
        return source
    if not (Path(source) / JOURNAL).is_file():
        return resolve(source, shelf)
    summary = Path(source) / "top" / "summary.json"
    rows = read_json(summary) if summary.is_file() else []
    digest = rows[0].get("hash") if isinstance(rows, list) and rows and isinstance(rows[0], dict) else None
    if not isinstance(digest, str):
        raise ZooError(
            f"Expected a search whose best were trained (automl-cells finetune-top {source}). Received: no network "
            f"in {summary}"
        )
    return resolve(Path(source) / "top" / digest[7:15], shelf)
