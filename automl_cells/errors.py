"""The errors of automl_cells: one base class, so that a caller can catch them all.

Each message says what was expected and ends with ``Received: …``. The command line prints the message of any
`AutoMLCellsError` on one line and exits with status 2; anything else is a bug and shows its traceback.
"""

from __future__ import annotations


class AutoMLCellsError(ValueError):
    """Base class: the input, a file or the environment is not as it must be."""


class GenotypeError(AutoMLCellsError):
    """A genotype (or a file that should hold one) is not valid; the message says where."""


class SpaceError(AutoMLCellsError):
    """An unknown search space, or an option that the space does not take."""


class StrategyError(AutoMLCellsError):
    """An unknown search strategy, or an option that the strategy does not take."""


class ExtensionError(AutoMLCellsError):
    """A space, strategy or operation cannot be registered, or the module that registers it cannot be imported."""


class TemplateError(AutoMLCellsError):
    """A template, or a size given for one, is not valid."""


class DataError(AutoMLCellsError):
    """A data set cannot be read, or its images and labels are not usable."""


class SearchError(AutoMLCellsError):
    """A search cannot start, continue or find a legal proposal."""


class JournalError(AutoMLCellsError):
    """The journal of a run cannot be read or written."""


class TrainingError(AutoMLCellsError):
    """A recipe is not valid, or a training cannot start."""


class ExportError(AutoMLCellsError):
    """A model cannot be exported, or the exported file disagrees with the model."""


class ZooError(AutoMLCellsError):
    """A zoo entry or shelf is missing, damaged, or would be overwritten."""
