import json
from copy import deepcopy

import pytest

from automl_cells.errors import JournalError
from automl_cells.genotypes import to_document
from automl_cells.search.journal import Event
from automl_cells.search.trials import Trial, best_trials, decisions_from_json, trials_of
from tests.search.synthetic import block

ANSWER = {"metrics": {"accuracy": 70.0}, "seconds": 2.5, "details": {"curve": [70.0]}}
EVENTS = [
    (
        0,
        "proposed",
        {"proposal": 0, "genotype": to_document(block(1)), "decisions": [[1, 4]], "info": {"epsilon": 1.0}},
    ),
    (0, "running", {}),
    (1, "proposed", {"proposal": 2, "genotype": to_document(block(2)), "decisions": [3], "info": {}}),
    (1, "running", {}),
    (1, "failed", {**ANSWER, "metrics": {}, "reward": 10.0, "failure": "out of memory"}),
    (0, "stale", {}),
    (0, "running", {}),
    (0, "done", {**ANSWER, "reward": 66.0, "failure": None}),
    (0, "repeat", {"proposal": 3, "decisions": [[1, 4]], "info": {}}),
    (0, "repeat", {"proposal": 4, "decisions": [[1, 4]], "info": {}}),
]


def events(count=None):
    return [Event(number, 100.0 + number, *event) for number, event in enumerate(deepcopy(EVENTS[:count]), start=1)]


def test_trials_are_what_their_events_say():
    first, second = trials_of(events())
    assert first == Trial(
        0, block(1), ((1, 4),), {"epsilon": 1.0}, 0, "done", 66.0, {"accuracy": 70.0}, 2.5, None, {"curve": [70.0]}, 2,
        started=101.0, ended=108.0,
    )  # fmt: skip
    assert (second.status, second.reward, second.failure, second.finished) == ("failed", 10.0, "out of memory", True)
    assert (second.genotype, second.decisions, second.proposal) == (block(2), (3,), 2)


@pytest.mark.parametrize(
    ("count", "status"), [(1, "proposed"), (2, "running"), (6, "stale"), (7, "running"), (8, "done")]
)
def test_the_status_is_that_of_the_last_event(count, status):
    trial = trials_of(events(count))[0]
    assert (trial.status, trial.finished) == (status, status == "done")


def test_the_best_are_those_that_succeeded_the_earlier_first():
    def trial(number, reward, status="done"):
        return Trial(number, block(number), (), {}, number, status, reward)

    trials = [trial(0, 40.0), trial(1, 90.0, "failed"), trial(2, 70.0), trial(3, None, "running"), trial(4, 70.0)]
    assert [best.number for best in best_trials(trials, 9)] == [2, 4, 0]
    assert [best.number for best in best_trials(trials)] == [2]
    assert best_trials(trials[1:2]) == []


def test_a_row_is_flat_json():
    row = trials_of(events())[0].to_row()
    assert json.loads(json.dumps(row)) == {
        "trial": 0, "status": "done", "reward": 66.0, "accuracy": 70.0, "seconds": 2.5, "repeats": 2, "epsilon": 1.0,
        "failure": None, "hash": block(1).hash,
    }  # fmt: skip


def test_lists_become_the_tuples_that_they_were():
    assert decisions_from_json([[1, [2, 3]], 4]) == ((1, (2, 3)), 4)


@pytest.mark.parametrize(
    ("number", "missing"),
    [(0, "info"), (0, "genotype"), (7, "failure"), (7, "metrics")],
)
def test_an_event_that_is_not_whole_is_named(number, missing):
    found = events()
    found[number].data.pop(missing)
    with pytest.raises(JournalError, match=rf"Expected event {number + 1} of the journal to be whole.*'{missing}'"):
        trials_of(found)


def test_an_event_of_no_trial_and_a_genotype_that_is_none_are_named():
    with pytest.raises(JournalError, match=r"Expected event 2 .*KeyError\(0\)"):
        trials_of(events()[1:])
    found = events()
    found[0].data["genotype"]["hash"] = "sha256:other"
    with pytest.raises(JournalError, match=r"Expected event 1 .*hash sha256:"):
        trials_of(found)


def test_a_trial_that_was_stopped_is_marked_and_comes_last():
    def trial(number, reward, details):
        return Trial(number, block(number), (), {}, number, "done", reward, {"accuracy": reward}, details=details)

    trials = [trial(0, 90.0, {"stopped_after": 3}), trial(1, 50.0, {}), trial(2, 95.0, {"stopped_after": 6})]
    assert [best.number for best in best_trials(trials, 3)] == [1, 2, 0]
    assert [trial.to_row().get("stopped_after") for trial in trials] == [3, None, 6]


@pytest.mark.parametrize(
    ("number", "name", "value"),
    [
        (0, "info", [1]), (0, "info", None), (0, "proposal", "x"), (0, "decisions", 5), (7, "reward", "x"),
        (7, "reward", None), (7, "reward", 10**400), (7, "reward", float("inf")), (7, "seconds", "x"),
        (7, "metrics", [1]), (7, "details", [1]), (7, "details", None), (7, "failure", 5),
    ],
    ids=lambda value: f"{value!r:.20}",
)  # fmt: skip
def test_an_event_with_a_value_of_another_type_is_named(number, name, value):
    found = events()
    found[number].data[name] = value
    with pytest.raises(JournalError, match=rf"Expected event {number + 1} of the journal to be whole.*{name}"):
        trials_of(found)


def test_metrics_and_notes_of_other_makers_are_taken_as_far_as_they_are_numbers():
    found = events()
    found[7].data["metrics"] = {"accuracy": 70.0, "words": "x", "huge": 10**400, "list": [1], "trial": 8}
    assert trials_of(found)[0].metrics == {"accuracy": 70.0, "trial": 8}
    assert trials_of(found)[0].to_row()["trial"] == 0
    found[0].data["info"] = {"trial": "<b>", "hash": "x", "epsilon": 0.5}
    row = trials_of(found)[0].to_row()
    assert (row["trial"], row["hash"], row["epsilon"]) == (0, block(1).hash, 0.5)


@pytest.mark.parametrize("epochs", ["x", None, True, 2.0, 0, -1, 10**40, [3]])
def test_only_a_count_of_epochs_means_that_a_trial_was_stopped(epochs):
    found = events()
    found[7].data["details"] = {"stopped_after": epochs}
    trial = trials_of(found)[0]
    assert (trial.stopped, trial.stopped_after, "stopped_after" in trial.to_row()) == (False, None, False)


@pytest.mark.parametrize("guesses", ["x", None, [50.0], {"3": "x"}, {"3": None}, {"3": 10**400}])
def test_only_numbers_are_guesses(guesses):
    trial = Trial(0, block(1), (), {}, 0, details={"guesses": guesses})
    assert trial.guesses == {}
    assert Trial(0, block(1), (), {}, 0, details={"guesses": {"3": 50}}).guesses == {"3": 50.0}
