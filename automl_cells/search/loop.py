"""The search loop: ask, check, submit, hear, tell, and write everything down first.

A trial is a distinct genotype. A repeat is told the stored reward at once (or when the first one's answer comes),
enters the strategy's memory, and costs no trial and no training. There are no generations: whenever a worker is free,
the next proposal is asked for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from automl_cells.errors import SearchError
from automl_cells.evaluation.base import Evaluator
from automl_cells.evaluation.limits import Limits
from automl_cells.evaluation.rewards import Reward
from automl_cells.genotypes import Genotype, to_document
from automl_cells.search.early_stopping import EarlyStopping
from automl_cells.search.executors.base import Answer, Executor, Job
from automl_cells.search.journal import Event, Journal
from automl_cells.search.trials import Trial, decisions_from_json, proposed
from automl_cells.spaces.base import Space
from automl_cells.strategies.base import Proposal, Strategy
from automl_cells.strategies.random import Random

MISSES_BEFORE_RANDOM = 50  # repeats or forbidden proposals in a row, after which one is drawn at random
VERDICTS_KEPT = 50_000  # some 50 MB of proposals seen before
MAX_MISSES = 20_000  # in a row, after which the limits are taken to be unsatisfiable or the space exhausted
LEAST_MISSES = 200  # … or so many seconds after that many, where looking at one takes long (latencies)
MAX_SECONDS = 180.0


class Observer(Protocol):
    """Who watches a search; called by the loop, in its thread."""

    def update(self, trials: list[Trial], running: int) -> None:
        """Something has changed: all trials so far, and how many are under way."""
        ...


@dataclass
class SearchLoop:
    """One search over one journal.

    Args:
        space: where to search.
        strategy: what to try next; a fresh one, which is told what the journal holds.
        evaluator: measures what is known without training; the executor evaluates.
        reward: from metrics to the number to maximise.
        limits: what every proposal must keep.
        journal: an open journal, empty or with the events of an earlier session.
        trials: how many distinct genotypes to try.
        seed: of the proposals and the trainings.
        budget: seconds after which nothing new is started; ``None`` for no limit.
        observer: told of every change.
        early_stopping: which candidates need not be trained to their end.
    """

    space: Space
    strategy: Strategy
    evaluator: Evaluator
    reward: Reward
    limits: Limits
    journal: Journal
    trials: int
    seed: int = 0
    budget: float | None = None
    observer: Observer | None = None
    early_stopping: EarlyStopping | None = None
    _trials: list[Trial] = field(default_factory=list, init=False)
    _numbers: dict[str, int] = field(default_factory=dict, init=False)  # trial of each canonical hash
    _proposals: dict[int, Proposal] = field(default_factory=dict, init=False)  # of the trials under way
    _waiting: dict[int, list[tuple[int, Proposal]]] = field(default_factory=dict, init=False)  # repeats of those
    _next_proposal: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.space, self.trials, self.seed)
        self._judge = lru_cache(maxsize=VERDICTS_KEPT)(self._judge_anew)  # genotypes are hashable
        self.strategy.acceptable = lambda genotype: self._judge(genotype) is not None
        for event in self.journal.events():
            self._replay(event)

    def _replay(self, event: Event) -> None:
        """Learn from one event of an earlier session what was learnt from it then."""
        if event.event == "proposed":
            trial = proposed(event)
            self._trials.append(trial)
            self._numbers[trial.genotype.hash] = trial.number
            self._next_proposal = max(self._next_proposal, trial.proposal + 1)
            self.strategy.begun(Proposal(trial.genotype, trial.decisions, trial.info))
            return
        trial = self._trials[event.trial] = self._trials[event.trial].after(event)
        if event.event == "repeat":
            decisions = decisions_from_json(event.data["decisions"])
            self._next_proposal = max(self._next_proposal, event.data["proposal"] + 1)
            assert trial.reward is not None  # a repeat is written down when it is told
            self.strategy.tell(Proposal(trial.genotype, decisions, event.data["info"]), trial.reward)
        elif event.event in ("done", "failed"):
            assert trial.reward is not None
            self.strategy.tell(Proposal(trial.genotype, trial.decisions, trial.info), trial.reward)

    def run(self, executor: Executor) -> list[Trial]:
        """Search until all trials have their answers, or the budget is spent.

        An interrupt (Ctrl-C) marks what is under way as stale and is raised again; the journal can be resumed. When no
        new proposal can be found, what is under way is still waited for.

        Args:
            executor: evaluates; not closed.

        Returns:
            All trials in order.

        Raises:
            SearchError: no proposal keeps the limits, or the space holds fewer genotypes than trials were asked for.
            JournalError: an event cannot be written.
        """
        start = time.monotonic()
        unfinished = [trial for trial in self._trials if not trial.finished]
        for trial in unfinished:
            self._note(trial.number, "stale")
        executor.on_event = self._happened
        exhausted: SearchError | None = None
        try:
            while True:
                while len(self._proposals) < executor.slots and not self._spent(start):
                    if unfinished:
                        trial = unfinished.pop(0)
                        self._start(trial, Proposal(trial.genotype, trial.decisions, trial.info), executor)
                    elif len(self._trials) < self.trials and exhausted is None:
                        try:
                            self._start(*self._propose(), executor)
                        except SearchError as error:
                            exhausted = error
                    else:
                        break
                answer = executor.next_result()
                if answer is not None:
                    self._answer(answer)
                elif exhausted is not None:
                    raise exhausted
                else:
                    return list(self._trials)
        except KeyboardInterrupt:
            for number in self._proposals:
                if not self._trials[number].finished:  # it may have come while its answer was being dealt with
                    self._note(number, "stale")
            raise
        finally:
            executor.on_event = None

    def _happened(self, number: int, event: str, data: dict[str, Any]) -> None:
        """Write down what the executor says of a trial under way, see `Executor.on_event`."""
        if event == "lease":
            self.journal.renew(number, **data)
        else:
            self._note(number, event, **data)
            self._observe()

    def _spent(self, start: float) -> bool:
        return self.budget is not None and time.monotonic() - start >= self.budget

    def _note(self, number: int, event: str, **data: object) -> None:
        """Write an event down, then let the trial know."""
        self.journal.append(number, event, data)
        if event != "proposed":
            row = Event(0, time.time(), number, event, data)
            self._trials[number] = self._trials[number].after(row)

    def _start(self, trial: Trial, proposal: Proposal, executor: Executor) -> None:
        self._note(trial.number, "running")
        self._proposals[trial.number] = proposal
        seed = int(np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0] >> 1)
        rule = None
        if self.early_stopping is not None:
            rule = self.early_stopping.rule(self._trials, self.evaluator.known(trial.genotype))
        executor.submit(Job(trial.number, trial.genotype, seed, rule))
        self._observe()

    def _propose(self) -> tuple[Trial, Proposal]:
        """Ask until something new comes that keeps the limits; repeats are told their reward on the way."""
        number = len(self._trials)
        forbidden = 0
        first = self._next_proposal
        last = self._trials[-1].proposal if self._trials else -1
        since = math.inf
        for missed in range(MAX_MISSES):
            if missed == LEAST_MISSES:
                since = time.monotonic()
            elif missed > LEAST_MISSES and time.monotonic() - since > MAX_SECONDS:
                break
            asked = self._next_proposal
            self._next_proposal += 1
            misses = asked - last - 1  # from the journal's numbers, so that resuming in between changes nothing
            at_random = misses % (MISSES_BEFORE_RANDOM + 1) == MISSES_BEFORE_RANDOM
            strategy = self._random if at_random else self.strategy
            proposal = strategy.ask(np.random.default_rng([self.seed, asked]), number)
            digest = self._judge(proposal.genotype)
            if digest is None:
                forbidden += 1
            elif (known := self._numbers.get(digest)) is not None:
                self._repeat(known, asked, proposal)
            else:
                return self._new(number, asked, proposal), proposal
        count = self._next_proposal - first
        raise SearchError(
            f"Expected a new genotype within {count} proposals for trial {number}; raise the limits "
            f"({self.limits}) or ask for fewer trials. Received: {forbidden} above the limits, "
            f"{count - forbidden} repeats"
        )

    def _judge_anew(self, genotype: Genotype) -> str | None:
        """The canonical hash, or ``None`` above the limits. Costs more than asking, so verdicts are remembered."""
        return genotype.hash if self.evaluator.allows(genotype, self.limits) else None

    def _new(self, number: int, asked: int, proposal: Proposal) -> Trial:
        data = {
            "proposal": asked,
            "genotype": to_document(proposal.genotype),
            "decisions": proposal.decisions,
            "info": dict(proposal.info),
        }
        self._note(number, "proposed", **data)
        trial = Trial(number, proposal.genotype, proposal.decisions, proposal.info, asked, started=time.time())
        self._trials.append(trial)
        self._numbers[proposal.genotype.hash] = number
        self.strategy.begun(proposal)
        return trial

    def _repeat(self, number: int, asked: int, proposal: Proposal) -> None:
        trial = self._trials[number]
        if trial.finished:
            self._tell_repeat(number, asked, proposal)
        elif number in self._proposals:
            self._waiting.setdefault(number, []).append((asked, proposal))

    def _tell_repeat(self, number: int, asked: int, proposal: Proposal) -> None:
        reward = self._trials[number].reward
        assert reward is not None
        self._note(number, "repeat", proposal=asked, decisions=proposal.decisions, info=dict(proposal.info))
        self.strategy.tell(proposal, reward)

    def _answer(self, answer: Answer) -> None:
        evaluation = answer.evaluation
        failure = evaluation.failure
        reward = self.evaluator.chance
        if failure is None:
            value = self._reward_of(evaluation.metrics)
            if not math.isfinite(value):
                failure = f"the reward is {value}"
            elif evaluation.metrics.get("accuracy", math.inf) > reward:
                reward = max(value, reward)  # what guesses no better than chance earns the floor, however cheap it is
        self._note(
            answer.trial,
            "done" if failure is None else "failed",
            reward=reward,
            metrics=dict(evaluation.metrics),
            seconds=evaluation.seconds,
            failure=failure,
            details=dict(evaluation.details),
        )
        self.strategy.tell(self._proposals.pop(answer.trial), reward)
        for asked, proposal in self._waiting.pop(answer.trial, ()):
            self._tell_repeat(answer.trial, asked, proposal)
        self._observe()

    def _reward_of(self, metrics: Mapping[str, float]) -> float:
        try:
            return self.reward(metrics)
        except KeyError as error:
            raise SearchError(
                f"Expected an evaluator that measures what the reward needs, {error}. Received: {sorted(metrics)}"
            ) from None

    def _observe(self) -> None:
        if self.observer is not None:
            self.observer.update(self._trials, len(self._proposals))
