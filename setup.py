"""Packaging of automl_cells; the settings of the tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
DERIVED = {"derived.json", "parity.json", ".lock"}  # what `zoo build` makes, and the lock of the shelf


def shelf() -> list[tuple[str, list[str]]]:
    """The shelf of this release without derived files, for `automl_cells.zoo.default_shelf`.

    Below the prefix it is not called "zoo": with `pip install --user` that would be the user's own shelf.
    """
    folders: dict[str, list[str]] = {}
    for path in sorted([*HERE.glob("zoo/*.json"), *HERE.glob("zoo/*.md"), *HERE.glob("zoo/*/*-v*/*")]):
        if path.is_file() and path.name not in DERIVED and path.suffix not in (".onnx", ".tflite"):
            place = Path("share", "automl_cells", "shelf", *path.parent.relative_to(HERE / "zoo").parts)
            folders.setdefault(place.as_posix(), []).append(path.relative_to(HERE).as_posix())
    return list(folders.items())


VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "automl_cells" / "__init__.py").read_text())[1]

setup(
    name="automl_cells",
    version=VERSION,
    description="Cell, block and chain search for Keras: from labelled images to a trained, versioned, exported model",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["automl_cells", "automl_cells.*"]),
    package_data={"automl_cells": ["py.typed", "**/*.json", "report/page/assets/*"]},
    data_files=shelf(),
    entry_points={"console_scripts": ["automl-cells = automl_cells.cli.main:main"]},
    # Lower bounds are the oldest releases whose features are used; constraints.txt holds the exact set that is tested.
    install_requires=[
        "filelock>=3.12",  # one driver a run folder, one publisher a shelf
        "fsspec>=2025.2",  # shelves in stores; s3:// needs s3fs too, gs:// gcsfs, hf:// huggingface_hub
        "h5py>=3.11",  # weights files
        "keras>=3.11",  # models; Model.export(format="onnx", opset_version=…)
        "matplotlib>=3.8",  # search curves
        "numpy>=1.26",
        "onnx>=1.16",  # names and metadata of exported files
        "onnxruntime>=1.18",  # parity
        "pydantic>=2.7",  # templates, recipes, entries
        "rich>=13.7",  # progress, tables
        "scikit-learn>=1.4",  # the digits
        "pillow>=11.0",  # images in folders; has_transparency_data
        "platformdirs>=4.0",  # where a user's own shelf lies
        "tensorflow>=2.18",
        "tensorflow-datasets>=4.9.7",  # prepared image sets, read without a network
        "tf2onnx>=1.17",  # the first release that works with NumPy 2
        "typer>=0.12",
    ],
    extras_require={
        "docs": ["pdoc>=16.0"],  # the API reference
        "ray": ["ray>=2.60"],  # the executor for clusters; Ray Core is enough
        "web": ["playwright>=1.45"],  # drives the Chromium in which the web page is tested
        "test": [
            "flask>=3.0",  # moto's server
            "flask-cors>=4.0",
            "hypothesis>=6.100",
            "importlib_resources>=6.0",  # needed by the writers of tensorflow-datasets, which does not ask for it
            "moto[s3]>=5.1",  # an S3 interface on this machine
            "mypy>=1.10",
            "networkx>=3.2",  # an independent judge of isomorphism
            "pdoc>=16.0",  # the API reference is tested too
            "pytest>=8.2",
            "pytest-cov>=5.0",
            "pytest-xdist>=3.6",
            "ray>=2.60",  # the tests of the executor start it
            "ruff>=0.6",
            "s3fs>=2025.2",  # shelves at s3://
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
