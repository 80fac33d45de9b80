"""The API reference from the docstrings, as HTML: `make docs` writes it to build/docs.

Every module of the package has a page, save those that can only be imported where JAX or torch are installed. The pages
need no network. ``automl_cells.html`` is what `import automl_cells as ac` offers.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ELSEWHERE = ("jax", "torch")
"""The frameworks of the other backends, which need not be installed here."""


def modules() -> list[str]:
    """The names of all modules of the package, the package's own first."""
    import automl_cells

    found = [module.name for module in pkgutil.walk_packages(automl_cells.__path__, "automl_cells.")]
    return ["automl_cells", *sorted(found)]


def write(out: Path, names: Sequence[str]) -> list[Path]:
    """Write the reference into a folder, whose pages of before are removed.

    Args:
        out: the folder.
        names: of modules and packages; of a package all public modules are written too. Those of backends that are not
            installed are left out.

    Returns:
        The pages.
    """
    import pdoc

    import automl_cells

    left_out = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in ELSEWHERE:
                raise
            left_out.append(name)
            continue
        for public in getattr(module, "__all__", ()):
            # names that a package imports when they are used, for pdoc looks at what is there
            vars(module).setdefault(public, getattr(module, public))
    pdoc.render.configure(docformat="google", show_source=False, footer_text=f"automl_cells {automl_cells.__version__}")
    for page in out.glob("**/*.html"):
        page.unlink()
    with warnings.catch_warnings():
        # Annotations of classes whose module imports the types for type checkers only are printed as they are written,
        # a module that its package has named already keeps its one page, and what is left out is left out.
        warnings.filterwarnings("ignore", "Error parsing type annotation", UserWarning)
        warnings.filterwarnings("ignore", "The module specification .* has already been added", UserWarning)
        for name in left_out:
            warnings.filterwarnings("ignore", f"Couldn't import {re.escape(name)}:", UserWarning)
        wanted = [name for name in names if name not in left_out]
        pdoc.pdoc(*wanted, *(f"!{name}" for name in left_out), output_directory=out)
    return sorted(out.glob("**/*.html"))


def main(arguments: list[str] | None = None) -> None:
    """Write the reference and say where it lies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/docs"), help="the folder [default: build/docs]")
    out = parser.parse_args(arguments).out
    pages = write(out, modules())
    print(f"{len(pages)} pages; begin with {out / 'index.html'}")


if __name__ == "__main__":
    main()
