"""What every search space promises, as one suite.

A test module of a space subclasses `SpaceContract` and gives it a `space` fixture; `strategies` and `search` may then
rely on all of it.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import dumps, loads
from automl_cells.spaces import Action, Space, State

WALKS = 25
MAX_DECISIONS = 500


def walk(space: Space, rng: np.random.Generator) -> tuple[list[State], list[Action]]:
    """A walk of random decisions to a terminal state: the states and the decisions between them."""
    states, decisions = [space.initial()], []
    while not space.is_terminal(states[-1]):
        assert len(decisions) < MAX_DECISIONS, "a walk does not end"
        legal = space.actions(states[-1])
        decisions.append(legal[rng.integers(len(legal))])
        states.append(space.step(states[-1], decisions[-1]))
    return states, decisions


def walks(space: Space) -> list[tuple[list[State], list[Action]]]:
    """Several random walks, the same in every run."""
    rng = np.random.default_rng(0)
    return [walk(space, rng) for _ in range(WALKS)]


class SpaceContract:
    """Tests of one space, given by the fixture `space`."""

    def test_starts_before_any_decision(self, space: Space) -> None:
        assert not space.is_terminal(space.initial())
        assert space.initial() == space.initial()

    def test_actions_are_there_unique_and_always_in_the_same_order(self, space: Space) -> None:
        for states, _ in walks(space):
            for state in states[:-1]:
                legal = list(space.actions(state))
                assert legal
                assert len(set(legal)) == len(legal)
                assert list(space.actions(state)) == legal

    def test_actions_survive_json(self, space: Space) -> None:
        for _, decisions in walks(space):
            for action in decisions:
                again = json.loads(json.dumps(action))
                assert (tuple(again) if isinstance(again, list) else again) == action

    def test_step_changes_no_state(self, space: Space) -> None:
        for states, decisions in walks(space):
            before = [repr(state) for state in states]
            for state, action in zip(states, decisions, strict=False):
                space.step(state, action)
            assert [repr(state) for state in states] == before

    def test_keys_are_hashable_and_depend_on_the_state_alone(self, space: Space) -> None:
        for states, _ in walks(space):
            for state in states:
                assert hash(space.key(state)) == hash(space.key(state))
                assert space.key(state) == space.key(state)

    def test_decisions_are_the_inverse_of_genotype(self, space: Space) -> None:
        for states, decisions in walks(space):
            genotype = space.genotype(states[-1])
            assert space.decisions(genotype) == tuple(decisions)
            assert space.replay(decisions) == tuple(states)
            assert loads(dumps(genotype)) == genotype

    def test_factors_are_small_and_tell_the_legal_actions_apart(self, space: Space) -> None:
        sizes = space.factor_sizes
        for states, _ in walks(space)[:5]:
            for state in states[:-1]:
                factors = [space.factors(action) for action in space.actions(state)]
                assert len(set(factors)) == len(factors)
                for factor in factors:
                    assert len(factor) == len(sizes)
                    assert all(0 <= value < size for value, size in zip(factor, sizes, strict=True))

    def test_mutate_makes_another_legal_genotype(self, space: Space) -> None:
        rng = np.random.default_rng(1)
        for states, decisions in walks(space):
            genotype = space.genotype(states[-1])
            mutant = space.mutate(genotype, rng)
            changed = space.decisions(mutant)
            assert changed != tuple(decisions)
            assert space.genotype(space.replay(changed)[-1]) == mutant
            assert space.decisions(genotype) == tuple(decisions)

    def test_mutate_follows_its_generator(self, space: Space) -> None:
        genotype = space.genotype(walks(space)[0][0][-1])
        mutants = [[space.mutate(genotype, np.random.default_rng(seed)) for seed in range(10)] for _ in range(2)]
        assert mutants[0] == mutants[1]
        assert len({mutant.hash for mutant in mutants[0]}) > 1

    def test_repeated_mutation_stays_in_the_space(self, space: Space) -> None:
        rng = np.random.default_rng(2)
        genotype = space.genotype(walks(space)[0][0][-1])
        for _ in range(30):
            genotype = space.mutate(genotype, rng)
            space.replay(space.decisions(genotype))

    @pytest.mark.parametrize("illegal", [-1, "x", None, (), (99, 99), (1, 1, 3, 0, 0, 0)], ids=repr)
    def test_replay_refuses_illegal_decisions(self, space: Space, illegal: object) -> None:
        _, decisions = max(walks(space), key=lambda pair: len(pair[1]))
        with pytest.raises(GenotypeError, match=r"decision 0 to be legal in .* Received: "):
            space.replay([illegal])
        with pytest.raises(GenotypeError, match=rf"decision {len(decisions) - 1} to be legal"):
            space.replay([*decisions[:-1], illegal])

    def test_replay_refuses_decisions_that_stop_early_or_go_on(self, space: Space) -> None:
        _, decisions = max(walks(space), key=lambda pair: len(pair[1]))
        with pytest.raises(GenotypeError, match=rf"up to a terminal state.* Received: {len(decisions) - 1}"):
            space.replay(decisions[:-1])
        with pytest.raises(GenotypeError, match=rf"decision {len(decisions)} to be legal"):
            space.replay([*decisions, decisions[-1]])
        with pytest.raises(GenotypeError, match=r"up to a terminal state.* Received: 0"):
            space.replay([])

    def test_genotypes_of_another_kind_are_refused(self, space: Space) -> None:
        class Alien:
            kind = "alien"

        with pytest.raises(GenotypeError, match=r"Received: .*alien"):
            space.decisions(Alien())
