import time

import pytest

from automl_cells.augmentation.ahead import prepared_ahead


def test_everything_comes_once_and_in_order():
    assert list(prepared_ahead(str, 20)) == [str(number) for number in range(20)]
    assert list(prepared_ahead(str, 0)) == []


def test_an_error_of_the_thread_is_raised_where_the_batches_are_used():
    def make(number):
        if number == 2:
            raise OSError("the disk is gone")
        return number

    source = prepared_ahead(make, 5)
    assert len([next(source), next(source)]) == 2
    with pytest.raises(OSError, match="the disk is gone"):
        next(source)


def test_no_more_than_a_few_batches_are_made_in_advance_and_none_after_the_end():
    made = []

    def make(number):
        made.append(number)
        return number

    source = prepared_ahead(make, 100)
    next(source)
    time.sleep(0.3)
    assert 2 <= len(made) <= 6
    source.close()
    count = len(made)
    time.sleep(0.3)
    assert len(made) == count
