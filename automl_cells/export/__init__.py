"""Trained models as SavedModel, ONNX (float and int8) and LiteRT files whose agreement with Keras is measured.

Needs the TensorFlow backend.
"""

from automl_cells.export.deployable import OUTPUTS, fold_batch_normalization
from automl_cells.export.digests import sha256_of_file, sha256_of_folder
from automl_cells.export.exporting import FORMATS, ExportResult, export_model
from automl_cells.export.int8 import Accuracies, Evaluation
from automl_cells.export.litert import load_litert
from automl_cells.export.onnx import export_onnx, load_onnx
from automl_cells.export.onnx_graph import read_metadata
from automl_cells.export.parity import Parity, measure_parity
from automl_cells.export.savedmodel import export_savedmodel, load_savedmodel

__all__ = [
    "FORMATS",
    "OUTPUTS",
    "Accuracies",
    "Evaluation",
    "ExportResult",
    "Parity",
    "export_model",
    "export_onnx",
    "export_savedmodel",
    "fold_batch_normalization",
    "load_litert",
    "load_onnx",
    "load_savedmodel",
    "measure_parity",
    "read_metadata",
    "sha256_of_file",
    "sha256_of_folder",
]
