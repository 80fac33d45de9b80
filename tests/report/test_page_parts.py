"""Parts of the page on searches made for them: the chart's outliers, guesses, cost, learning curves, drawings."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from automl_cells.genotypes import load
from automl_cells.genotypes.drawing import draw_svg
from automl_cells.report.page.cost_table import cost_table
from automl_cells.report.page.drawings import drawing, drawing_style
from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.front_table import front_table
from automl_cells.report.page.learning_chart import learning_chart
from automl_cells.report.page.search_chart import search_chart
from automl_cells.report.page.troubles import troubles
from automl_cells.search.trials import Trial
from tests.report.runs import genotypes, settings


def facts(trials: list[Trial]) -> RunFacts:
    return RunFacts(Path("run"), settings(len(trials)), trials, False, 0.0)


def done(number: int, reward: float, **changes: object) -> Trial:
    plain = Trial(number, genotypes(1)[0], (), {}, number, "done", reward, {"accuracy": reward}, 2.0)
    return replace(plain, **changes)


def test_candidates_that_learnt_nothing_do_not_press_the_others_together():
    rewards = [10.0, *[90.0 + number / 10 for number in range(40)]]
    html = search_chart(facts([done(number, reward) for number, reward in enumerate(rewards)]))
    assert "below the axis (1)" in html
    places = [float(place) for place in re.findall(r'<circle[^>]*cy="([\d.]+)"', html)]
    assert places[0] == max(places)
    assert max(places[1:]) - min(places[1:]) > 200  # of 300 pixels


def test_the_best_so_far_is_measured_as_long_as_anything_is():
    guess = done(1, 99.0, details={"stopped_after": 3})
    html = search_chart(facts([done(0, 50.0), guess, done(2, 60.0)]))
    assert "The best is 60.00, of trial 2." in html
    path = re.search(r'class="best" d="([^"]+)"', html)[1]
    assert path.count("V") == 2  # to trial 2, and on to the end
    assert 'class=guess data-trial="1"' in html


def test_a_phase_of_epsilon_is_a_band_with_its_label():
    trials = [done(number, 50.0 + number, info={"epsilon": 1.0 if number < 20 else 0.5}) for number in range(40)]
    html = search_chart(facts(trials))
    assert html.count('class="band') == 2
    assert re.findall(r'class="phase wide"[^>]*>([^<]+)', html) == ["ε=1.0", "ε=0.5"]
    assert "band" not in search_chart(facts([done(0, 50.0)]))


def test_cost_is_summed_and_its_spread_drawn():
    trials = [
        done(number, 50.0, seconds=10.0, metrics={"accuracy": 50.0, "parameters": 10**number}) for number in range(5)
    ]
    trials.append(replace(trials[0], number=5, status="failed", seconds=50.0, failure="x"))
    html = cost_table(facts(trials))
    assert "6 evaluations took <b>1 min 40 s</b> together; 50 s of it on candidates that failed" in html
    assert "<th scope=row>parameters<td>1<td>100<td>10,000" in html
    (bars,) = re.findall(r"<th scope=row>parameters.*?<svg.*?</svg>", html)
    assert bars.count("<rect") == 5  # logarithmic: on a linear axis four of them would be one


def test_the_front_is_that_of_the_measured():
    trials = [
        done(number, accuracy, metrics={"accuracy": accuracy, "parameters": parameters})
        for number, (accuracy, parameters) in enumerate([(90.0, 500), (80.0, 100), (70.0, 200)])
    ]
    guess = {"accuracy": 99.0, "parameters": 1}
    trials.append(replace(trials[0], number=3, metrics=guess, details={"stopped_after": 2}))
    assert re.findall(r"#trial-(\d+)", front_table(facts(trials))) == ["1", "0"]
    assert "No candidate has both" in front_table(facts([done(0, 50.0)]))


def test_of_many_learning_curves_every_so_many_is_drawn_and_the_best_are_marked():
    trials = [done(number, 50.0 + number / 50, details={"curve": [10.0, 20.0 + number / 50]}) for number in range(1000)]
    html = learning_chart(facts(trials))
    assert "the others, one of 3 drawn" in html
    assert len(re.findall(r'class="faint many"', html)) == 334
    assert re.findall(r'class="series s0" data-curve="(\d+)"', html) == ["999"]
    assert len(re.findall(r'class="end ghost" data-trial=', html)) == 337  # of the five best two are among the 334
    assert "no learning curves" in learning_chart(facts([done(0, 50.0)]))
    assert "no learning curves" in learning_chart(facts([done(0, 50.0, details={"curve": "abc"})]))
    assert "trial 0" in learning_chart(facts([done(0, 50.0, details={"curve": [50.0]})]))


def test_how_well_guesses_ranked_is_said_where_there_were_any():
    trials = [
        done(number, 50.0 + number, info={"predicted": float(number)}, details={"guesses": {"3": -float(number)}})
        for number in range(6)
    ]
    words = re.sub(r"<[^>]+>", "", troubles(facts(trials)))
    assert (
        "The predictor's guesses rank 6 candidates that they had not seen with a correlation (Spearman) of 1.00"
        in words
    )
    assert "The first guesses from learning curves rank 6 candidates" in words
    assert "-1.00" in words
    assert "guesses" not in troubles(facts([done(0, 50.0)]))


@pytest.mark.parametrize("name", ["block_qnn_s", "nasnet_a"])
def test_a_drawing_has_its_style_once_on_the_page(name):
    genotype = load(name)
    whole = draw_svg(genotype.parts())
    assert "<style" not in drawing(genotype)
    assert drawing(genotype).count("data-node") == whole.count("data-node")
    style = drawing_style(genotype)
    light, dark = style.split(":root[data-theme=dark]")
    assert light.startswith(".drawing{")
    assert style.count("{") == style.count("}")
    assert ".conv3 rect" in light
    assert dark.count("#173a66") == 2  # for those who chose it, and for those whose system has it
    assert "#173a66" not in light
    assert all(rule in style for rule in re.findall(r"\.edge\.\w+\{[^}]+\}", whole))


def test_the_legend_names_the_others_where_there_are_others():
    trials = [done(number, 50.0 + number, details={"curve": [10.0, 20.0]}) for number in range(6)]
    assert "the others" in learning_chart(facts(trials))
    assert "the others" not in learning_chart(facts(trials[:5]))
