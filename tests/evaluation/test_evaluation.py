import json
import math

import pytest

from automl_cells.builder import template
from automl_cells.errors import SearchError
from automl_cells.evaluation import Evaluation, Evaluator, from_spec
from automl_cells.evaluation.proxy_protocol import proxy_protocol
from automl_cells.evaluation.proxy_training import ProxyTraining

DONE = Evaluation({"accuracy": 81.25, "parameters": 770.0}, 1.5, None, {"curve": [70.0, 81.25], "restarts": 1})


@pytest.mark.parametrize(
    "evaluation", [DONE, Evaluation({"parameters": 3.0}, 0.1, "out of memory"), Evaluation({}, 0.0)]
)
def test_an_evaluation_survives_json(evaluation):
    assert Evaluation.from_document(json.loads(json.dumps(evaluation.to_document()))) == evaluation


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_a_failure(value):
    found = Evaluation.from_document(Evaluation({"accuracy": value, "parameters": 3.0}, 1.0).to_document())
    assert found.failure == f"the metric accuracy is {value}"
    assert found.metrics == {"parameters": 3.0}


def test_the_first_failure_is_kept():
    found = Evaluation.from_document(Evaluation({"accuracy": math.nan}, 1.0, "the loss became nan").to_document())
    assert (found.failure, found.metrics) == ("the loss became nan", {})


@pytest.mark.parametrize(
    "document",
    [
        {},
        None,
        [],
        {"metrics": [1], "seconds": 1, "failure": None, "details": {}},
        {"metrics": {"accuracy": "high"}, "seconds": 1, "failure": None, "details": {}},
        {"metrics": {}, "seconds": None, "failure": None, "details": {}},
        {"metrics": {}, "seconds": 1, "failure": None},
    ],
)
def test_what_is_no_evaluation_is_refused(document):
    with pytest.raises(SearchError, match=r"Expected an evaluation document\. Received: "):
        Evaluation.from_document(document)


class Homebound(Evaluator):
    chance = 50.0

    def evaluate(self, genotype, seed):
        return Evaluation({"accuracy": 60.0}, 0.0)


def test_an_evaluator_may_know_nothing_beforehand_and_stay_in_its_process():
    assert Homebound().known(None) == {}
    with pytest.raises(SearchError, match=r"Expected an evaluator that other processes can make.*Received: Homebound$"):
        Homebound().spec()


def test_an_evaluator_is_made_again_from_its_spec():
    frame = template("cifar", repeats=2, filters=(4, 8), input_shape=(8, 8, 1), classes=10)
    evaluator = ProxyTraining("digits", frame, proxy_protocol("blockqnn", epochs=2))
    spec = json.loads(json.dumps(evaluator.spec()))
    again = from_spec(spec)
    assert isinstance(again, ProxyTraining)
    assert again.spec() == spec
    assert (again.template, again.protocol, again.chance) == (frame, evaluator.protocol, 10.0)
    assert again.dataset.fingerprint == evaluator.dataset.fingerprint


def test_arrays_have_no_words_for_other_processes():
    digits = ProxyTraining("digits", template("cifar", input_shape=(8, 8, 1))).dataset
    with pytest.raises(SearchError, match=r"Received: ProxyTraining$"):
        ProxyTraining(digits, template("cifar", input_shape=(8, 8, 1))).spec()
