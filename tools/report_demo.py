"""``make report-demo``: a short search on the digits of scikit-learn, and its report as one HTML page.

Every run gets a folder of its own, demo/report-1, demo/report-2, …. The page is opened in the browser where there is
somebody to look at it: on a terminal, and not where the environment says ``CI``.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("automl-cells")


def main() -> None:
    """Run the demo; a command that fails ends it with that command's status."""
    run = next(path for number in range(1, 10_000) if not (path := Path("demo", f"report-{number}")).exists())
    _call(
        "search --space blockqnn --strategy q_learning_fast --dataset digits --trials 60 --workers 2 "
        f"--max-params 25000 --template cifar --repeats 1 --filters 8,16,32 --seed 1 --out {run}"
    )
    _call(f"report {run}")
    page = (run / "report.html").resolve()
    print(f"\nThe report: {page}", flush=True)
    if sys.stdout.isatty() and not os.environ.get("CI"):
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            print("No browser was found to open it in.")


def _call(arguments: str) -> None:
    print(f"$ automl-cells {arguments}", flush=True)
    status = subprocess.run([str(COMMAND), *shlex.split(arguments)]).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()
