"""Trained models as SavedModel and ONNX files whose agreement with Keras is measured. Needs the TensorFlow backend."""

from automl_cells.export.digests import sha256_of_file, sha256_of_folder
from automl_cells.export.exporting import FORMATS, ExportResult, export_model
from automl_cells.export.onnx import export_onnx, load_onnx
from automl_cells.export.parity import Parity, measure_parity
from automl_cells.export.savedmodel import export_savedmodel, load_savedmodel

__all__ = [
    "FORMATS",
    "ExportResult",
    "Parity",
    "export_model",
    "export_onnx",
    "export_savedmodel",
    "load_onnx",
    "load_savedmodel",
    "measure_parity",
    "sha256_of_file",
    "sha256_of_folder",
]
