"""The command ``automl-cells``. Importing it costs no framework; each command imports what it needs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from automl_cells.cli import export, finetune, genotype, report, search, store, train, transfer, trials, zoo
from automl_cells.cli.console import printable
from automl_cells.errors import AutoMLCellsError

app = typer.Typer(
    name="automl-cells",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Search a cell, block or chain on labelled images, build networks of any size from it, train, shelve, export.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from automl_cells import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


app.command()(search.search)
app.command()(trials.trials)
app.command()(trials.best)
app.command()(report.report)
app.command()(genotype.show)
app.command()(genotype.build)
app.command()(train.train)
app.command()(finetune.finetune)
app.command()(transfer.transfer)
app.command("finetune-top")(train.finetune_top)
app.command()(train.ensemble)
app.command()(export.export)
zoo.zoo.command()(store.publish)
zoo.zoo.command()(store.pull)
app.add_typer(zoo.zoo, name="zoo")


def main() -> None:
    """Run the command line; bad input ends in one line on standard error and status 2."""
    try:
        status = app(standalone_mode=False)  # a number where the command was interrupted or asked to end early
    except AutoMLCellsError as error:
        _fail(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of a pipe has gone, as in `automl-cells trials RUN | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's own usage errors
            _fail(error.format_message())
        raise

    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> None:
    one_line = " ".join(printable(message).split())
    print(f"automl-cells: {one_line}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
