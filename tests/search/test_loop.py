import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from automl_cells.errors import JournalError, SearchError, TemplateError
from automl_cells.evaluation import Limits
from automl_cells.search import loop as module
from automl_cells.search.executors import Answer, Executor, SerialExecutor
from automl_cells.search.executors.serial import guarded_evaluation
from automl_cells.search.journal import Journal
from automl_cells.search.trials import trials_of
from automl_cells.spaces import BlockQNN
from automl_cells.strategies import Random
from tests.search.synthetic import Instant, Line, Script, Told, accuracy_of, block, search_loop


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite", {}) as journal:
        yield journal


class Late(Executor):
    """Three jobs at once; answers only when there is nothing else to do, the last job first."""

    slots = 3

    def __init__(self, evaluator, interrupt_after=None):
        self.evaluator, self.jobs, self.left, self.most = evaluator, [], interrupt_after, 0

    def submit(self, job):
        self.jobs.append(job)
        self.most = max(self.most, len(self.jobs))

    def next_result(self, timeout=None):
        if self.left == 0:
            raise KeyboardInterrupt
        if self.left is not None:
            self.left -= 1
        if not self.jobs:
            return None
        job = self.jobs.pop()
        return Answer(job.trial, guarded_evaluation(self.evaluator, job))

    def cancel(self, trial):
        raise NotImplementedError

    def close(self):
        pass


def run(journal, evaluator, strategy, trials, **changes):
    return search_loop(journal, evaluator, strategy, trials, **changes).run(SerialExecutor(evaluator))


def kinds(journal, *wanted):
    return [(event.trial, event.event) for event in journal.events() if event.event in wanted]


def test_every_trial_is_another_genotype_and_has_its_reward(journal):
    evaluator = Instant()
    trials = run(journal, evaluator, Told(BlockQNN(max_index=4)), 30)
    assert [trial.number for trial in trials] == list(range(30))
    assert len({trial.genotype.hash for trial in trials}) == 30
    assert [hash for hash, _ in evaluator.called] == [trial.genotype.hash for trial in trials]
    for trial in trials:
        assert trial.status == "done"
        assert trial.reward == trial.metrics["accuracy"] == accuracy_of(trial.genotype)
        assert trial.metrics["parameters"] == 100 * (1 + len(trial.genotype.layers))
        assert BlockQNN(max_index=4).genotype(trial.decisions) == trial.genotype
    for trial, stored in zip(trials, trials_of(journal.events()), strict=True):
        assert stored == replace(trial, started=stored.started, ended=stored.ended)  # the clock is read twice


def test_the_journal_has_each_event_before_it_counts(journal):
    run(journal, Instant(), Script(Line(2), [1, 0]), 2)
    assert [(event.trial, event.event) for event in journal.events()] == [
        (0, "proposed"), (0, "running"), (0, "done"), (1, "proposed"), (1, "running"), (1, "done")
    ]  # fmt: skip


def test_repeats_are_told_the_stored_reward_and_cost_no_training(journal):
    evaluator, strategy = Instant(), Told(Line(3), seed=0)
    trials = run(journal, evaluator, strategy, 3)
    assert {trial.decisions for trial in trials} == {(0,), (1,), (2,)}
    assert len(evaluator.called) == 3
    repeats = sum(trial.repeats for trial in trials)
    assert repeats > 0
    assert len(strategy.told) == 3 + repeats
    assert all(reward == accuracy_of(block(decisions[0])) for decisions, reward in strategy.told)
    assert len(kinds(journal, "repeat")) == repeats


def test_isomorphic_blocks_are_one_trial(journal):
    """conv 3 → its sum with conv 5 of the input, and the other way round."""
    one = ((1, 1, 3, 0, 0), (2, 1, 5, 0, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0))
    other = ((1, 1, 5, 0, 0), (2, 1, 3, 0, 0), (3, 5, 0, 1, 2), (4, 7, 0, 0, 0))
    evaluator, strategy = Instant(), Script(Blocks([one, other, (*one[:1], (2, 7, 0, 0, 0))]), [0, 1, 2])
    trials = run(journal, evaluator, strategy, 2)
    assert len(evaluator.called) == 2
    assert [decisions for decisions, _ in strategy.told] == [(0,), (1,), (2,)]  # each with its own decisions
    assert strategy.told[0][1] == strategy.told[1][1]
    assert [trial.repeats for trial in trials] == [1, 0]


class Blocks(Line):
    """A line whose genotypes are given blocks."""

    def __init__(self, codes):
        super().__init__(len(codes))
        self.codes = codes

    def genotype(self, state):
        return BlockQNN(max_index=9, input_anywhere=True).genotype(self.codes[state[0]])


def test_repeats_of_what_is_under_way_wait_for_its_answer(journal):
    evaluator, strategy = Instant(), Script(Line(4), [0, 0, 1, 1, 0, 2, 3])
    executor = Late(evaluator)
    trials = search_loop(journal, evaluator, strategy, 4).run(executor)
    assert executor.most == 3
    assert [hash for hash, _ in evaluator.called] == [block(layers).hash for layers in (2, 3, 1, 0)]  # each once
    assert [decisions[0] for decisions, _ in strategy.told] == [2, 3, 1, 1, 0, 0, 0]
    assert all(reward == accuracy_of(block(decisions[0])) for decisions, reward in strategy.told)
    assert [trial.repeats for trial in trials] == [2, 1, 0, 0]
    assert kinds(journal, "done", "repeat") == [
        (2, "done"), (3, "done"), (1, "done"), (1, "repeat"), (0, "done"), (0, "repeat"), (0, "repeat")
    ]  # fmt: skip
    assert [trial.proposal for trial in trials] == [0, 2, 5, 6]


def test_after_fifty_misses_in_a_row_a_proposal_is_random(journal):
    strategy = Script(Line(100), [7])
    trials = run(journal, Instant(), strategy, 3)
    assert [trial.proposal for trial in trials] == [0, 51, 102]
    assert trials[0].decisions == (7,)
    assert strategy.asked == 1 + 50 + 50
    assert trials[0].repeats == 100
    assert [trial.info for trial in trials[1:]] == [{}, {}]  # the strategy had no part in them


def test_limits_that_nothing_keeps_end_the_search(journal):
    evaluator, strategy = Instant(), Told(Line(3))
    with pytest.raises(
        SearchError, match=r"within 20000 proposals for trial 0; .*Received: 20000 above the limits, 0 r"
    ):
        run(journal, evaluator, strategy, 1, limits=Limits(max_params=1))
    assert (evaluator.called, strategy.told, list(journal.events())) == ([], [], [])


def test_more_trials_than_genotypes_end_the_search_and_what_is_done_is_kept(journal, monkeypatch):
    monkeypatch.setattr(module, "MAX_MISSES", 200)
    with pytest.raises(
        SearchError, match=r"within 200 proposals for trial 3; .*Received: 0 above the limits, 200 repeats$"
    ):
        run(journal, Instant(), Told(Line(3)), 4)
    assert [trial.status for trial in trials_of(journal.events())] == ["done"] * 3


def test_no_trial_is_above_the_limits(journal):
    evaluator = Instant()
    trials = run(journal, evaluator, Told(Line(40)), 6, limits=Limits(max_params=600))
    assert sorted(trial.decisions for trial in trials) == [(layers,) for layers in range(6)]
    assert len(evaluator.called) == 6


def test_a_network_that_is_too_large_to_be_planned_is_above_the_limits(journal):
    class Planned(Instant):
        def known(self, genotype):
            if len(genotype.layers) > 2:
                raise TemplateError("Expected a network of at most 20000 layers. Received: more")
            return super().known(genotype)

    trials = run(journal, Planned(), Told(Line(9)), 3)
    assert sorted(trial.decisions for trial in trials) == [(0,), (1,), (2,)]


def test_failed_candidates_earn_chance_accuracy(journal):
    evaluator, strategy = Instant(fails_below=50.0), Told(Line(20))
    trials = run(journal, evaluator, strategy, 12)
    failed = [trial for trial in trials if accuracy_of(trial.genotype) < 50]
    assert 0 < len(failed) < 12
    for trial in trials:
        if trial in failed:
            assert (trial.status, trial.reward, trial.metrics) == ("failed", 10.0, {})
            assert trial.failure == f"ArithmeticError: {accuracy_of(trial.genotype)} is too low"
        else:
            assert (trial.status, trial.failure) == ("done", None)
    told = dict(strategy.told)
    assert all(told[trial.decisions] == trial.reward for trial in trials)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_not_finite_is_a_failure(journal, value):
    strategy = Script(Line(2), [1])
    (trial,) = run(journal, Instant(), strategy, 1, reward=lambda metrics: value)
    assert (trial.status, trial.failure, trial.reward) == ("failed", f"the reward is {value}", 10.0)
    assert trial.metrics["accuracy"] == accuracy_of(block(1))
    assert strategy.told == [((1,), 10.0)]


@pytest.mark.parametrize(("value", "told"), [(-3.0, 10.0), (9.9, 10.0), (10.5, 10.5), (140.0, 140.0)])
def test_no_reward_is_below_chance(journal, value, told):
    (trial,) = run(journal, Instant(), Script(Line(2), [1]), 1, reward=lambda metrics: value)
    assert (trial.status, trial.reward) == ("done", told)


def test_what_guesses_no_better_than_chance_earns_the_floor_however_cheap_it_is(journal):
    class Guesses(Instant):
        def evaluate(self, genotype, seed):
            return replace(super().evaluate(genotype, seed), metrics={"accuracy": self.chance})

    (trial,) = run(journal, Guesses(), Script(Line(2), [1]), 1, reward=lambda metrics: 99.0)
    assert (trial.status, trial.reward) == ("done", 10.0)


def test_an_interrupt_right_after_an_answer_was_written_leaves_the_trial_done(tmp_path):
    class Interrupted(Journal):
        def append(self, trial, event, data=None):
            super().append(trial, event, data)
            if (trial, event) == (1, "done"):
                raise KeyboardInterrupt

    with Interrupted(tmp_path / "journal.sqlite", {}) as journal:
        evaluator = Instant()
        with pytest.raises(KeyboardInterrupt):
            search_loop(journal, evaluator, Told(Line(9)), 5).run(SerialExecutor(evaluator))
        assert [trial.finished for trial in trials_of(journal.events())] == [True, True]


def test_a_proposal_seen_before_is_not_judged_again(journal):
    class Counts(Instant):
        judged = 0

        def known(self, genotype):
            self.judged += 1
            return super().known(genotype)

    evaluator = Counts()
    loop = search_loop(journal, evaluator, Script(Line(4), [0, 0, 0, 1, 0, 1, 2]), 3)
    loop.run(SerialExecutor(evaluator))
    assert evaluator.judged == 3 + 3  # once when proposed, once when evaluated


def test_a_spent_budget_starts_nothing_new_and_waits_for_what_runs(journal, monkeypatch):
    clock = iter([100.0, 100.0, 104.0, 109.9, 110.0, 110.1, 999.0])  # the start, then a look before each new one
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock), time=time.time))
    evaluator = Instant()
    trials = search_loop(journal, evaluator, Told(Line(50)), 20, budget=10.0).run(Late(evaluator))
    assert [trial.status for trial in trials] == ["done"] * 3
    assert len(evaluator.called) == 3


def test_an_interrupt_marks_what_runs_as_stale_and_the_journal_goes_on(journal):
    evaluator = Instant()
    with pytest.raises(KeyboardInterrupt):
        search_loop(journal, evaluator, Told(Line(30)), 8).run(Late(evaluator, interrupt_after=2))
    assert [trial.status for trial in trials_of(journal.events())] == ["stale", "stale", "done", "done", "stale"]
    done = len(evaluator.called)

    resumed = search_loop(journal, evaluator, Told(Line(30)), 8)
    trials = resumed.run(Late(evaluator))
    assert [trial.status for trial in trials] == ["done"] * 8
    hashes = [hash for hash, _ in evaluator.called]
    assert len(hashes) == len(set(hashes)) == 8 == done + 6
    assert len(kinds(journal, "done")) == 8


@pytest.mark.parametrize("other", [0, 1])
def test_the_same_seed_makes_the_same_proposals(tmp_path, other):
    found = []
    for number, seed in enumerate((0, other)):
        with Journal(tmp_path / f"{number}.sqlite", {}) as journal:
            evaluator = Instant()
            trials = run(journal, evaluator, Random(BlockQNN(), 6), 6, seed=seed)
            found.append(([trial.genotype.hash for trial in trials], evaluator.called))
    assert (found[0] == found[1]) == (other == 0)


def test_every_training_has_a_seed_of_its_own(journal):
    evaluator = Instant()
    run(journal, evaluator, Told(Line(30)), 10)
    seeds = [seed for _, seed in evaluator.called]
    assert len(set(seeds)) == 10
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_who_watches_is_told_of_every_start_and_every_answer(journal):
    class Watcher:
        def __init__(self):
            self.seen = []

        def update(self, trials, running):
            self.seen.append((sum(trial.finished for trial in trials), running))

    watcher = Watcher()
    run(journal, Instant(), Told(Line(9)), 2, observer=watcher)
    assert watcher.seen == [(0, 1), (1, 0), (1, 1), (2, 0)]


def test_a_full_disk_stops_the_search(journal):
    journal._connection.execute("PRAGMA max_page_count=6")
    with pytest.raises(JournalError, match="full"):
        run(journal, Instant(), Told(BlockQNN()), 200)


def test_a_search_that_is_done_starts_nothing(journal):
    evaluator = Instant()
    trials = run(journal, evaluator, Told(Line(9)), 3)
    again = run(journal, evaluator, Told(Line(9)), 3)
    assert [trial.genotype for trial in again] == [trial.genotype for trial in trials]
    assert len(evaluator.called) == 3


def test_when_the_space_is_exhausted_what_is_under_way_is_still_waited_for(journal, monkeypatch):
    monkeypatch.setattr(module, "MAX_MISSES", 200)
    evaluator = Instant()
    with pytest.raises(SearchError, match="ask for fewer trials"):
        search_loop(journal, evaluator, Told(Line(2)), 5).run(Late(evaluator))
    assert [trial.status for trial in trials_of(journal.events())] == ["done", "done"]


def test_a_reward_that_needs_what_the_evaluator_does_not_measure(journal):
    with pytest.raises(SearchError, match=r"'flops'.*Received: \['accuracy', 'density', 'parameters'"):
        run(journal, Instant(), Told(Line(9)), 2, reward=lambda metrics: metrics["flops"])


class Noting(Told):
    """Notes what has begun."""

    def __init__(self, space):
        super().__init__(space)
        self.begun_with = []

    def begun(self, proposal):
        self.begun_with.append(tuple(proposal.decisions))


def test_a_strategy_hears_what_has_begun_also_of_an_earlier_session(journal):
    strategy = Noting(Line(6))
    run(journal, Instant(), strategy, 4)
    assert len(strategy.begun_with) == len(set(strategy.begun_with)) == 4  # repeats do not begin
    again = Noting(Line(6))
    search_loop(journal, Instant(), again, 4)
    assert again.begun_with == strategy.begun_with
    assert again.told == strategy.told


def test_a_strategy_can_ask_whether_a_genotype_keeps_the_limits(journal):
    strategy = Random(Line(6), 1)
    search_loop(journal, Instant(), strategy, 1, limits=Limits(max_params=300))
    assert [strategy.acceptable(block(layers)) for layers in range(5)] == [True, True, True, False, False]


class Losing(SerialExecutor):
    """Loses its worker once in every job, and says so."""

    def __init__(self, evaluator, journal):
        super().__init__(evaluator)
        self.journal, self.seen = journal, []

    def next_result(self, timeout=None):
        if self._jobs:
            trial = self._jobs[0].trial
            for event, data in (
                ("lease", {"worker": 0, "pid": 11}),
                ("stale", {"why": "the worker died", "worker": 0, "pid": 11}),
                ("running", {"retry": 1, "worker": 1, "pid": 22}),
                ("lease", {"worker": 1, "pid": 22}),
            ):
                self.on_event(trial, event, data)
                self.seen.append((event, {key: lease[1:3] for key, lease in self.journal.leases().items()}))
        return super().next_result(timeout)


def test_the_journal_has_what_happens_to_a_trial_under_way(journal):
    evaluator = Instant()
    executor = Losing(evaluator, journal)
    trials = search_loop(journal, evaluator, Told(Line(9)), 2).run(executor)
    assert [trial.status for trial in trials] == ["done", "done"]
    assert executor.on_event is None
    kinds = ["proposed", "running", "stale", "running", "done"]
    events = list(journal.events())
    assert [(event.trial, event.event) for event in events] == [(trial, kind) for trial in (0, 1) for kind in kinds]
    assert events[2].data == {"why": "the worker died", "worker": 0, "pid": 11}
    assert events[3].data == {"retry": 1, "worker": 1, "pid": 22}
    assert executor.seen[:4] == [
        ("lease", {0: (0, 11)}),
        ("stale", {}),
        ("running", {}),
        ("lease", {0: (1, 22)}),
    ]
    assert journal.leases() == {}


def test_nobody_is_heard_after_an_error(journal):
    evaluator = Instant()
    executor = SerialExecutor(evaluator)
    with pytest.raises(SearchError):
        search_loop(journal, evaluator, Told(Line(9)), 2, limits=Limits(max_params=1)).run(executor)
    assert executor.on_event is None


def test_looking_for_a_proposal_ends_after_some_time_too(journal, monkeypatch):
    monkeypatch.setattr(module, "LEAST_MISSES", 3)
    monkeypatch.setattr(module, "MAX_SECONDS", 0.0)
    with pytest.raises(
        SearchError, match=r"within \d{1,2} proposals for trial 0; .* Received: \d{1,2} above the limits"
    ):
        run(journal, Instant(), Random(Line(6), 1), 1, limits=Limits(max_params=1))
