"""What went wrong, or not all the way: failures with reasons, candidates stopped early, repeats, unfinished ones."""

from __future__ import annotations

from collections.abc import Iterable

from automl_cells.report.page.facts import RunFacts
from automl_cells.report.page.numbers import text
from automl_cells.report.ranking import rankings
from automl_cells.search.trials import Trial

_LISTED = 12  # trials named in a row


def troubles(facts: RunFacts) -> str:
    """A table of the reasons of failures, the most frequent first, and a list of the rest."""
    reasons: dict[str, list[Trial]] = {}
    for trial in facts.failed:
        reasons.setdefault(trial.failure or "no reason given", []).append(trial)
    parts = []
    if reasons:
        rows = "".join(
            f"<tr><td>{len(trials)}<td class=reason>{text(reason)}<td class=numbers>{_numbers(trials)}"
            for reason, trials in sorted(reasons.items(), key=lambda item: -len(item[1]))
        )
        parts.append(
            "<div class=scroll tabindex=0 role=region aria-label=Failures><table class='plain failures'><thead><tr>"
            "<th scope=col>failed<th scope=col class=reason>reason<th scope=col class=numbers>trials</thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )
    else:
        parts.append('<p class="none">No candidate has failed.</p>')
    items = [f"<li>{words}" for words in _rest(facts)]
    return "".join(parts) + (f"<ul class=notes>{''.join(items)}</ul>" if items else "")


def _rest(facts: RunFacts) -> Iterable[str]:
    if facts.stopped:
        epochs = sum(trial.stopped_after or 0 for trial in facts.stopped) / len(facts.stopped)
        yield (
            f"<b>{len(facts.stopped)}</b> stopped early, after {epochs:.1f} epochs on average: their accuracies are "
            f"guesses ({_numbers(facts.stopped)})."
        )
    yield from _worth_of_guesses(facts)
    repeated = [trial for trial in facts.trials if trial.repeats]
    if repeated:
        count = sum(trial.repeats for trial in repeated)
        yield f"<b>{count}</b> {'proposal was a repeat' if count == 1 else 'proposals were repeats'} of candidates " + (
            "that were known; they cost nothing."
        )
    stale = [trial for trial in facts.trials if trial.status == "stale"]
    if stale:
        yield (
            f"<b>{len(stale)}</b> stale: their worker was lost or the search stopped; they run again "
            f"({_numbers(stale)})."
        )
    under_way = [trial for trial in facts.trials if trial.status in ("proposed", "running")]
    if under_way:
        what = "under way" if facts.running else "interrupted: they run again when the search is resumed"
        yield f"<b>{len(under_way)}</b> {what} ({_numbers(under_way)})."


def _worth_of_guesses(facts: RunFacts) -> Iterable[str]:
    """How well the predictor, and the rule that stops trainings early, ranked what they had not seen."""
    whats = ("The predictor's guesses", "The first guesses from learning curves")
    for what, found in zip(whats, rankings(facts.done), strict=True):
        if found is not None:
            yield (
                f"{what} rank {found.size} candidates that they had not seen with a correlation (Spearman) of "
                f"<b>{found.correlation:.2f}</b>."
            )


def _numbers(trials: list[Trial]) -> str:
    """The numbers of trials, each a link to its row."""
    links = [f'<a href="#trial-{trial.number}">{trial.number}</a>' for trial in trials[:_LISTED]]
    more = len(trials) - _LISTED
    return ", ".join(links) + (f" and {more} more" if more > 0 else "")
