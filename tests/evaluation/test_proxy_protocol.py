import pytest
from pydantic import ValidationError

from automl_cells.errors import SearchError
from automl_cells.evaluation import ProxyProtocol, proxy_protocol

PAPER = proxy_protocol("blockqnn")


def test_the_paper_s_values():
    assert (PAPER.epochs, PAPER.batch_size) == (12, 256)
    assert (PAPER.learning_rate, PAPER.decay_factor, PAPER.decay_epochs) == (0.001, 0.2, 5)
    assert (PAPER.beta_1, PAPER.beta_2, PAPER.epsilon) == (0.9, 0.999, 1e-8)
    assert (PAPER.max_restarts, PAPER.restart_factor) == (3, 0.4)


def test_the_rate_falls_to_a_fifth_every_five_epochs():
    expected = [0.001] * 5 + [0.0002] * 5 + [0.00004] * 2
    assert [PAPER.learning_rate_at(epoch) for epoch in range(12)] == pytest.approx(expected, rel=1e-12)


def test_each_restart_multiplies_the_rate_by_two_fifths():
    rates = [PAPER.learning_rate_at(0, restarts) for restarts in range(4)]
    assert rates == pytest.approx([0.001, 0.0004, 0.00016, 0.000064], rel=1e-12)
    assert PAPER.learning_rate_at(5, 2) == pytest.approx(0.000032, rel=1e-12)


@pytest.mark.parametrize(
    ("images", "batch"),
    [(50_000, 256), (4096, 256), (4095, 255), (1122, 70), (32, 2), (16, 1), (3, 1)],  # 16 steps an epoch at least
)
def test_the_batch_shrinks_where_the_data_are_few(images, batch):
    assert PAPER.batch_for(images) == batch


def test_without_a_least_number_of_steps_the_batch_is_the_paper_s():
    assert proxy_protocol(min_steps=1).batch_for(300) == 256


def test_some_fields_changed():
    changed = proxy_protocol("blockqnn", epochs=2, learning_rate=0.01)
    assert (changed.epochs, changed.learning_rate, changed.batch_size) == (2, 0.01, 256)
    assert proxy_protocol(changed) == changed != PAPER
    assert proxy_protocol(changed, epochs=12, learning_rate=0.001) == PAPER


def test_a_protocol_is_data():
    document = PAPER.model_dump(mode="json")
    assert ProxyProtocol.model_validate(document) == PAPER
    with pytest.raises(ValidationError, match="frozen"):
        PAPER.epochs = 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, r"a valid epochs: .*\. Received: 0$"),
        ({"epochs": 2.5}, r"a valid epochs: .*Received: 2\.5$"),
        ({"batch_size": 0}, "a valid batch_size"),
        ({"min_steps": 0}, "a valid min_steps"),
        ({"learning_rate": 0}, "a valid learning_rate"),
        ({"decay_factor": -1}, "a valid decay_factor"),
        ({"decay_epochs": 0}, "a valid decay_epochs"),
        ({"beta_1": 1.0}, "a valid beta_1"),
        ({"beta_2": -0.1}, "a valid beta_2"),
        ({"epsilon": 0}, "a valid epsilon"),
        ({"max_restarts": -1}, "a valid max_restarts"),
        ({"restart_factor": "x"}, r"a valid restart_factor: .*Received: 'x'$"),
        ({"validation_fraction": 1.0}, "a valid validation_fraction"),
        ({"warm_up": 3}, r"a valid warm_up: .*Received: 3$"),
    ],
)
def test_fields_that_are_not_valid_are_named(changes, message):
    with pytest.raises(SearchError, match=message):
        proxy_protocol("blockqnn", **changes)


def test_a_protocol_that_does_not_exist():
    with pytest.raises(SearchError, match=r"among \['blockqnn'\]\. Received: resnet$"):
        proxy_protocol("resnet")
