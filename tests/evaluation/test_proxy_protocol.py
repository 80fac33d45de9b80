import json

import numpy as np
import pytest
from pydantic import ValidationError

from automl_cells.errors import SearchError
from automl_cells.evaluation import ProxyProtocol, proxy_protocol
from automl_cells.evaluation.proxy_protocol import protocol_names

PAPER = proxy_protocol("blockqnn")
NASNET = proxy_protocol("nasnet")
SGD = {"optimizer": "sgd", "momentum": 0.5, "beta_1": None, "beta_2": None, "epsilon": None}
COSINE = {"schedule": "cosine", "decay_factor": None, "decay_epochs": None}


@pytest.mark.parametrize("name", protocol_names())
def test_every_packaged_protocol_is_valid_and_bears_its_name_and_source(name):
    found = proxy_protocol(name)
    assert found.name == name
    assert len(found.source) > 20
    assert ProxyProtocol.model_validate(json.loads(json.dumps(found.model_dump(mode="json")))) == found


def test_the_paper_s_values():
    assert (PAPER.epochs, PAPER.batch_size) == (12, 256)
    assert (PAPER.learning_rate, PAPER.decay_factor, PAPER.decay_epochs) == (0.001, 0.2, 5)
    assert (PAPER.beta_1, PAPER.beta_2, PAPER.epsilon) == (0.9, 0.999, 1e-8)
    assert (PAPER.max_restarts, PAPER.restart_factor) == (3, 0.4)
    assert (PAPER.optimizer, PAPER.schedule, PAPER.l2, PAPER.augmentation) == ("adam", "step", 0, ())


def test_the_values_of_nasnet_and_what_stands_where_it_gives_none():
    assert (NASNET.epochs, NASNET.optimizer, NASNET.momentum, NASNET.schedule) == (20, "sgd", 0.9, "cosine")
    assert (NASNET.max_restarts, NASNET.validation_fraction) == (0, 0.1)
    assert [step.model_dump() for step in NASNET.augmentation] == [
        {"op": "upsample_crop", "scale": 1.25},
        {"op": "horizontal_flip"},
    ]
    assert (NASNET.learning_rate, NASNET.batch_size, NASNET.l2) == (0.01, 32, 5e-4)
    said, filled_in = NASNET.source.split("Not from the paper")
    for words in ("learning rate", "batches", "L2 5e-4", "min_steps"):
        assert words in filled_in
        assert words not in said


def test_without_mirror_images_it_is_the_same_otherwise():
    other = proxy_protocol("nasnet_no_flip")
    assert other.augmentation == NASNET.augmentation[:1]
    assert proxy_protocol(other, name="nasnet", source=NASNET.source, augmentation=NASNET.augmentation) == NASNET


def test_the_rate_falls_to_a_fifth_every_five_epochs():
    expected = [0.001] * 5 + [0.0002] * 5 + [0.00004] * 2
    rates = np.stack([PAPER.learning_rates(epoch, 3) for epoch in range(12)])
    np.testing.assert_allclose(rates, np.array(expected)[:, None] * np.ones(3), rtol=1e-12)


def test_each_restart_multiplies_the_rate_by_two_fifths():
    rates = [PAPER.learning_rates(0, 1, restarts)[0] for restarts in range(4)]
    assert rates == pytest.approx([0.001, 0.0004, 0.00016, 0.000064], rel=1e-12)
    assert PAPER.learning_rates(5, 1, 2)[0] == pytest.approx(0.000032, rel=1e-12)
    assert proxy_protocol(PAPER, **COSINE).learning_rates(0, 4, 2)[0] == pytest.approx(0.00016, rel=1e-12)


def test_a_cosine_falls_from_step_to_step_over_all_epochs():
    rates = np.concatenate([NASNET.learning_rates(epoch, 10) for epoch in range(20)])
    assert rates.shape == (200,)
    assert rates[0] == 0.01
    assert rates[100] == pytest.approx(0.005)  # halfway
    assert rates[50] == pytest.approx(0.01 * (1 + 0.5**0.5) / 2)
    assert rates[-1] == pytest.approx(0.01 * (np.pi / 200) ** 2 / 4, rel=1e-3)  # 1 - cos x is x²/2; never quite 0
    assert (np.diff(rates) < 0).all()


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


def test_a_document_is_as_it_was_before_there_were_other_optimizers():
    """So that a search whose journal is older can be continued."""
    assert set(PAPER.model_dump()) == {
        "name", "source", "epochs", "batch_size", "min_steps", "learning_rate", "decay_factor", "decay_epochs",
        "beta_1", "beta_2", "epsilon", "max_restarts", "restart_factor", "validation_fraction",
    }  # fmt: skip
    assert not {"beta_1", "beta_2", "epsilon", "decay_factor", "decay_epochs"} & set(NASNET.model_dump())


def test_optimizer_and_schedule_can_be_exchanged():
    changed = proxy_protocol("blockqnn", l2=1e-4, **SGD, **COSINE)
    assert (changed.optimizer, changed.momentum, changed.schedule, changed.beta_1) == ("sgd", 0.5, "cosine", None)
    assert ProxyProtocol.model_validate(changed.model_dump(mode="json")) == changed
    assert proxy_protocol(changed, momentum=0).momentum == 0


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
        ({"l2": -1e-4}, r"a valid l2: .*Received: -0\.0001$"),
        ({"optimizer": "rmsprop"}, "a valid optimizer: .*'adam' or 'sgd'.*Received: 'rmsprop'$"),
        ({"schedule": "linear"}, "a valid schedule: .*'step' or 'cosine'.*Received: 'linear'$"),
        ({"learning_rate": float("inf")}, "a valid learning_rate: .*finite"),
        (
            {"momentum": 0.9},
            "a valid protocol: .*momentum belongs to the optimizer 'sgd', which needs it, and only to it",
        ),
        ({**SGD, "momentum": None}, "momentum belongs to the optimizer 'sgd'.*Received: {'optimizer': 'sgd', 'decay"),
        ({**SGD, "momentum": 1}, "a valid momentum"),
        ({**SGD, "beta_1": 0.9}, "beta_1 belongs to the optimizer 'adam'"),
        ({**SGD, "beta_2": 0.9}, "beta_2 belongs to the optimizer 'adam'"),
        ({**SGD, "epsilon": 0.9}, r"epsilon belongs to the optimizer 'adam'.*Received: {.*'epsilon': 0\.9.*}$"),
        ({"beta_1": None}, "beta_1 belongs to the optimizer 'adam'"),
        ({"schedule": "cosine"}, "decay_factor belongs to the schedule 'step'"),
        ({**COSINE, "decay_epochs": 3}, "decay_epochs belongs to the schedule 'step'"),
        ({"decay_epochs": None}, "decay_epochs belongs to the schedule 'step'"),
        ({"augmentation": [{"op": "blur"}]}, r"a valid augmentation\.0: .*Received: {'op': 'blur'}$"),
        ({"augmentation": [{"op": "pad_crop", "padding": 0}]}, r"a valid augmentation\.0\.pad_crop\.padding.*: 0$"),
        (
            {"augmentation": [{"op": "color_jitter", "contrast": 0.1}]},
            "a valid augmentation: .*color_jitter is for raw",
        ),
    ],
)
def test_fields_that_are_not_valid_are_named(changes, message):
    with pytest.raises(SearchError, match=message):
        proxy_protocol("blockqnn", **changes)


def test_a_protocol_that_does_not_exist():
    with pytest.raises(
        SearchError,
        match=r"among \['blockqnn', 'metaqnn', .*'nasnet_no_flip'\]\. Received: resnet$",
    ):
        proxy_protocol("resnet")


def test_the_values_of_metaqnn():
    protocol = proxy_protocol("metaqnn_no_flip")
    assert (protocol.epochs, protocol.batch_size, protocol.l2) == (20, 128, 5e-4)
    assert (protocol.beta_1, protocol.beta_2, protocol.epsilon) == (0.9, 0.999, 1e-8)
    # every 5 epochs a fifth
    rates = [float(protocol.learning_rates(epoch, 1)[0]) for epoch in (0, 4, 5, 10, 19)]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 2e-4, 4e-5, 8e-6])
    # five first rates, 0.001 · 0.4^i
    assert protocol.max_restarts == 4
    firsts = [float(protocol.learning_rates(0, 1, restarts)[0]) for restarts in range(5)]
    np.testing.assert_allclose(firsts, [1e-3, 4e-4, 1.6e-4, 6.4e-5, 2.56e-5])
    assert (protocol.chain_dropout, protocol.measure) == ((0, 0.5), "best")
    flipped = proxy_protocol("metaqnn")
    assert [step.op for step in flipped.augmentation] == ["horizontal_flip"]
    assert proxy_protocol(flipped, augmentation=(), name="metaqnn_no_flip", source=protocol.source) == protocol


def test_a_document_without_dropout_of_chains_is_as_it_was():
    document = proxy_protocol("blockqnn").model_dump(mode="json")
    assert not {"chain_dropout", "measure"} & set(document)
    again = proxy_protocol("metaqnn").model_dump(mode="json")
    assert again["chain_dropout"] == [0, 0.5]
    assert ProxyProtocol.model_validate(again) == proxy_protocol("metaqnn")
