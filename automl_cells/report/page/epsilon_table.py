"""What the candidates of each ε earned on average: whether a search has learnt anything."""

from __future__ import annotations

import statistics
from itertools import groupby

from automl_cells.report.learning import mean_rewards
from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import number
from automl_cells.report.page.scale import Scale
from automl_cells.report.page.search_chart import epsilon_of


def epsilon_table(facts: RunFacts) -> str:
    """A row an ε with mean and quartiles of the rewards; ``""`` of strategies without an ε."""
    pairs = sorted(
        ((epsilon, trial.reward, trial.metrics.get("accuracy")) for trial in facts.done
         if (epsilon := epsilon_of(trial)) is not None and trial.reward is not None),
        key=lambda pair: -pair[0],
    )  # fmt: skip
    if not pairs:
        return ""
    groups = [(epsilon, list(group)) for epsilon, group in groupby(pairs, key=lambda pair: pair[0])]
    scale = Scale.around([reward for _, reward, _ in pairs], 0.02)
    rows = []
    for epsilon, group in groups:
        rewards = sorted(reward for _, reward, _ in group)
        low, high = rewards[len(rewards) // 4], rewards[(3 * len(rewards)) // 4]
        mean = statistics.fmean(rewards)
        accuracies = [accuracy for *_, accuracy in group if accuracy is not None]
        rows.append(
            f"<tr><th scope=row>{epsilon:.3g}<td>{len(group)}<td>{mean:.2f}"
            f'<td class="range"><svg width="100%" height="14" aria-hidden="true">'
            f'<line x1="0" x2="100%" y1="7" y2="7"/>'
            f'<rect x="{100 * scale.place(low):.1f}%" y="3.5" height="7" rx="3.5" '
            f'width="{max(1.0, 100 * (scale.place(high) - scale.place(low))):.1f}%"/>'
            f'<circle cx="{100 * scale.place(mean):.1f}%" cy="7" r="4.5"/></svg>'
            f"<td>{number(statistics.fmean(accuracies)) if accuracies else ''}<td>{max(rewards):.2f}"
        )
    return (
        f"{_learnt(facts)}<div class=scroll tabindex=0 role=region aria-label='Mean per ε'><table class=plain><thead>"
        "<tr><th scope=col>ε<th scope=col>tried<th scope=col>reward"
        f"<th scope=col class=range><span class=ends><span>{scale.low:.4g}</span>mean and middle half"
        f"<span>{scale.high:.4g}</span></span><th scope=col>accuracy<th scope=col>best</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _learnt(facts: RunFacts) -> str:
    found = mean_rewards([(epsilon_of(trial), trial.reward) for trial in facts.done])
    if found is None:
        return ""
    return (
        f"<p class=lead>Mean reward <b>{found.first:.2f}</b> of {found.first_count} candidates at "
        f"ε = {found.epsilon:g}, <b>{found.last:.2f}</b> of {found.last_count} at ε ≤ {found.threshold:g}.</p>"
    )
