"""Looks candidates up in the table of NAS-Bench-201 instead of training them: a search takes seconds.

The table is a CSV file, plain or gzipped, with a row for each architecture: its string in the column ``arch_str``, the
accuracies in per cent of really trained networks (``c10_valid_12ep``, ``c10_test_200ep``, …), parameters and
multiply-adds. Its columns ``flops_*`` hold multiply-adds as the rest of this package counts them, plus one addition a
class for the bias of the linear layer (10 of some 15 million).
"""

from __future__ import annotations

import csv
import gzip
import math
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from automl_cells.errors import DataError, GenotypeError, SearchError
from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.nasbench201 import NasBench201Genotype

CLASSES: dict[str, int] = {"c10": 10, "c100": 100, "in16": 120}
"""Classes of the data sets: CIFAR-10, CIFAR-100, ImageNet16-120."""

_KEY = "arch_str"
_TABLES_KEPT = 4  # some 5 MB each

Rows = Mapping[str, tuple[float, ...]]


class TableEvaluator(Evaluator):
    """Evaluates cells of NAS-Bench-201 by looking them up.

    Metrics: ``accuracy`` (per cent, what a search may see), ``test_accuracy`` (per cent, what it is judged by),
    ``parameters``, ``flops`` (multiply-adds). An architecture that the table does not hold is a failed candidate.

    Args:
        path: the CSV file.
        dataset: ``"c10"``, ``"c100"`` or ``"in16"``.
        reward_column: column that is the accuracy; by default the validation accuracy after 12 epochs.
        test_column: column that is the test accuracy; by default that after 200 epochs.

    Raises:
        SearchError: an unknown data set.
        DataError: the file cannot be read, is no such table, or lacks a column.
    """

    def __init__(
        self,
        path: str | Path,
        dataset: str = "c10",
        reward_column: str | None = None,
        test_column: str | None = None,
    ) -> None:
        if dataset not in CLASSES:
            raise SearchError(f"Expected a data set among {list(CLASSES)}. Received: {dataset!r:.80}")
        self.path = Path(path).absolute()  # workers may run in another folder
        self.dataset = dataset
        self.reward_column = reward_column or f"{dataset}_valid_12ep"
        self.test_column = test_column or f"{dataset}_test_200ep"
        self.chance = 100.0 / CLASSES[dataset]
        self._rows = _rows(self.path, (self.reward_column, self.test_column, f"params_{dataset}", f"flops_{dataset}"))

    def spec(self) -> dict[str, Any]:
        """See `Evaluator.spec`."""
        return {
            "factory": "automl_cells.evaluation.table:TableEvaluator",
            "arguments": {
                "path": str(self.path),
                "dataset": self.dataset,
                "reward_column": self.reward_column,
                "test_column": self.test_column,
            },
        }

    def known(self, genotype: Genotype) -> dict[str, float]:
        """Parameters and multiply-adds; nothing of an architecture that the table does not hold.

        Raises:
            GenotypeError: not a cell of NAS-Bench-201.
        """
        row = self._row(genotype)
        return {} if row is None else {"parameters": row[2], "flops": row[3]}

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """Look one cell up. The table holds one result an architecture, so the seed has no say.

        Raises:
            GenotypeError: not a cell of NAS-Bench-201.
        """
        start = time.perf_counter()
        row = self._row(genotype)
        if row is None:
            return Evaluation({}, time.perf_counter() - start, f"{self.path.name} does not hold this architecture")
        metrics = dict(zip(("accuracy", "test_accuracy", "parameters", "flops"), row, strict=True))
        return Evaluation(metrics, time.perf_counter() - start)

    def _row(self, genotype: Genotype) -> tuple[float, ...] | None:
        if not isinstance(genotype, NasBench201Genotype):
            raise GenotypeError(f"Expected a cell of NAS-Bench-201. Received: a {genotype.kind}")
        return self._rows.get(genotype.architecture)


def _rows(path: Path, columns: tuple[str, ...]) -> Rows:
    """The numbers in `columns` by architecture; a file that has not changed is not read again in this process."""
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"Expected a table of NAS-Bench-201. Received: {path} ({error.strerror})") from None
    return _parsed(path, columns, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=_TABLES_KEPT)
def _parsed(path: Path, columns: tuple[str, ...], modified: int, size: int) -> Rows:
    """See `_rows`; `modified` and `size` tell the versions of a file apart."""
    rows: dict[str, tuple[float, ...]] = {}
    with _opened(path) as file:
        reader = csv.DictReader(file)
        if missing := [column for column in (_KEY, *columns) if column not in (reader.fieldnames or ())]:
            raise DataError(
                f"Expected the columns {missing} in {path}. Received: {', '.join(reader.fieldnames or ())!r:.200}"
            )
        for row in reader:
            architecture = row[_KEY]
            where = f"line {reader.line_num} of {path}"
            try:
                NasBench201Genotype.from_architecture(architecture)
            except GenotypeError as error:
                raise DataError(f"{where}: {error}") from None
            if architecture in rows:
                raise DataError(f"Expected one line an architecture in {path}. Received: {architecture} twice")
            rows[architecture] = tuple(_number(row[column], column, where) for column in columns)
    if not rows:
        raise DataError(f"Expected at least one architecture in {path}. Received: none")
    return rows


def _number(text: str | None, column: str, where: str) -> float:
    """A number from 0: accuracies, parameters and multiply-adds all are."""
    try:
        value = float(text)  # type: ignore[arg-type]  # a short line has no text, a TypeError
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise DataError(f"Expected {column} in {where} as a number from 0. Received: {text!r:.80}")
    return value


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, plain or gzipped."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as file
        ):
            yield file
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected a table of NAS-Bench-201. Received: {path} ({error or type(error).__name__})"
        ) from None
