"""Batches made by a thread while the one before is trained on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

AHEAD = 3  # batches prepared in advance
Made = TypeVar("Made")


def prepared_ahead(make: Callable[[int], Made], count: int) -> Iterator[Made]:
    """``make(0) … make(count - 1)``, made by a thread up to `AHEAD` in advance; its errors are raised here."""
    made: queue.Queue[Any] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                made.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for number in range(count):
                if stop.is_set():
                    return
                put(make(number))
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in range(count):
            item = made.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
