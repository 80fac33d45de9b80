"""What a candidate leaves behind is collected when it is done, and nothing else is looked at."""

from __future__ import annotations

import ctypes
import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def collected() -> Iterator[None]:
    """Collect the cycles that the body made, at its end.

    Graphs of a framework are full of cycles; left to itself a worker grows by tens of MB a candidate. A collection
    looks at all objects, though, and a framework has a million: it took a quarter of a second, a fifth of a small
    candidate's evaluation. So the objects that were there before are put aside for the while (`gc.freeze`).

    Where the body raises, what its frames hold is let go; the traceback keeps its lines.

    Memory that is free then is given back to the system where its C library can (`malloc_trim` of glibc), else a
    process stays as large as its largest candidate was.
    """
    ours = gc.get_freeze_count() == 0  # else somebody has frozen objects for reasons of their own
    if ours:
        gc.freeze()
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # else they hold what is to be collected
        raise
    finally:
        gc.collect()
        if ours:
            gc.unfreeze()
        _give_back()


def _give_back() -> None:
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
