import gc
import weakref

import pytest

from automl_cells.evaluation.garbage import collected


class Node:
    """Refers to itself: only a collection frees it."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def no_collection_by_itself():
    gc.disable()
    yield
    gc.enable()


def test_cycles_of_the_body_are_freed_and_older_ones_are_not_looked_at():
    older = weakref.ref(Node())
    with collected():
        newer = weakref.ref(Node())
        assert newer() is not None
    assert newer() is None
    assert older() is not None
    gc.collect()
    assert older() is None


def test_after_an_error_too():
    def failing():
        node = Node()  # which the frame, and so the traceback, holds
        kept.append(weakref.ref(node))
        raise ArithmeticError

    kept = []
    with pytest.raises(ArithmeticError) as raised:
        collected()(failing)()
    assert kept[0]() is None
    assert raised.traceback[-1].name == "failing"
    assert gc.get_freeze_count() == 0


def test_what_others_have_frozen_stays_frozen():
    gc.freeze()
    try:
        with collected():
            newer = weakref.ref(Node())
        assert newer() is None
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
