"""The report of a search as a page: what is in it, that texts of a run stay texts, and that it needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from filelock import FileLock

from automl_cells.errors import JournalError
from automl_cells.genotypes import from_document
from automl_cells.report.page import read_facts, render, write_report
from automl_cells.report.page.facts import RunFacts
from automl_cells.search.journal import Journal
from tests.report.runs import EVIL, answer, genotypes, propose, settings, write_run


class Page(HTMLParser):
    """What a browser would find: elements with attributes, and the texts of those with an id."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: dict[str, list[str]] = {"script": [], "style": [], "pre": []}
        self._in = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in = tag if tag in self.raw else ""
        if self._in:
            self.raw[tag].append("")

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in:
            self.raw[self._in][-1] += data
        if self._in in ("", "pre"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(page: Page) -> dict:
    return json.loads(page.raw["script"][0])


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    folder = write_run(tmp_path_factory.mktemp("runs") / "a <b>run", 60, dataset={"words": f"npz:{EVIL}.npz"})
    return read_facts(folder)


@pytest.fixture(scope="module")
def page(facts: RunFacts) -> Page:
    return Page(render(facts))


def test_no_text_of_a_run_becomes_markup(page, facts):
    assert len(page.raw["script"]) == 2
    assert EVIL in page.text.replace("\n", " ")
    assert "a <b>run" in page.text
    assert all("alert" not in script for script in page.raw["script"][1:])
    assert EVIL in json.dumps(data_of(page)["columns"]["note"], ensure_ascii=False).replace('\\"', '"')
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_the_policy_allows_just_this_style_and_this_script(page):
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    for rule, content in (("style-src", page.raw["style"][0]), ("script-src", page.raw["script"][1])):
        assert rules[rule] == f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
    assert len(page.raw["style"]) == 1


def test_nothing_is_loaded_and_no_style_attribute_is_used(page):
    loading = {"src", "srcset", "poster", "action", "formaction", "background", "style"}
    assert not [(tag, name) for tag, found in page.elements for name in found if name in loading]
    assert not page.all("link")
    assert all(anchor["href"].startswith("#") for anchor in page.all("a"))
    assert "url(" not in page.raw["style"][0]
    assert "@import" not in page.raw["style"][0]


def test_every_candidate_has_a_row_and_a_mark_and_can_be_unpacked(page, facts):
    rows = [row["id"] for row in page.all("tr") if (row.get("id") or "").startswith("trial-")]
    assert rows == [f"trial-{number}" for number in range(60)]
    marks = {int(mark["data-trial"]) for tag in ("circle", "text") for mark in page.all(tag) if "data-trial" in mark}
    assert marks == set(range(60))
    data = data_of(page)
    unpacked = [item for part in data["packed"] for item in json.loads(zlib.decompress(base64.b64decode(part)))]
    assert [from_document(json.loads(genotype)) for _, genotype, _ in unpacked] == [t.genotype for t in facts.trials]
    assert all(svg.startswith("<svg") and svg.endswith("</svg>") and "<style" not in svg for svg, *_ in unpacked)
    assert [curve for *_, curve in unpacked] == [trial.details.get("curve", []) for trial in facts.trials]


def test_the_columns_are_those_of_the_journal(page, facts):
    columns = data_of(page)["columns"]
    assert list(columns)[:6] == ["trial", "status", "reward", "accuracy", "parameters", "flops"]
    assert columns["accuracy"] == [trial.metrics.get("accuracy") for trial in facts.trials]
    assert columns["status"][6] == "stopped early"
    assert columns["status"][9] == "failed"
    assert data_of(page)["guesses"] == [trial.number for trial in facts.stopped]
    assert {"name": "accuracy", "title": "accuracy, %", "maximised": True} in data_of(page)["axes"]


def test_the_best_genotype_is_there_to_copy_and_is_no_guess(page, facts):
    best = facts.best
    text = page.raw["pre"][0]
    assert from_document(json.loads(text)) == best.genotype
    assert json.loads(text)["provenance"]["trial"] == best.number
    assert best.reward == max(trial.reward for trial in facts.measured)
    assert not best.stopped


def test_failures_are_grouped_by_reason_and_the_rest_is_counted(page, facts):
    text = " ".join(page.text.split())
    for layer in range(3):
        of_layer = [t for t in facts.failed if t.failure.endswith(f"layer {layer}")]
        numbers = ", ".join(str(trial.number) for trial in of_layer)
        assert re.search(rf"{len(of_layer)} ?{re.escape(f'{EVIL} of layer {layer}')} ?{numbers}", text)
    assert f"{len(facts.stopped)} stopped early, after 3.0 epochs on average" in text
    assert "12 proposals were repeats" in text


def test_each_epsilon_has_its_mean(page, facts):
    rewards = [trial.reward for trial in facts.done if trial.info["epsilon"] == 0.5]
    assert re.search(rf"0\.5{len(rewards)}{sum(rewards) / len(rewards):.2f}", page.text)
    assert "at ε = 1" in page.text


def test_what_names_an_element_finds_one(page):
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    wanted = [a["href"][1:] for a in page.all("a")]
    wanted += [b["data-copies"] for b in page.all("button") if "data-copies" in b]
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            wanted += (attributes.get(name) or "").split()
    assert set(wanted) - {"candidate-heading"} <= set(identifiers)  # that heading is made when a candidate is opened


def test_a_search_under_way_says_how_far_it_is(tmp_path: Path):
    run = write_run(tmp_path / "run", 5, trials=8)
    with FileLock(run / ".lock"):
        facts = read_facts(run)
        words = Page(render(facts)).text
    assert facts.state == "running"
    assert "running, 5 of 8" in words
    assert "1 under way" in words
    assert "--watch" in words
    assert "--resume" not in words
    stopped = Page(render(read_facts(run))).text
    assert "stopped, 5 of 8" in stopped
    assert "1 interrupted" in stopped
    assert "--trials 8 --out" in stopped


def test_a_report_is_replaced_in_one_step_and_the_journal_is_only_read(tmp_path: Path):
    run = write_run(tmp_path / "run", 3)
    before = (run / "journal.sqlite").read_bytes()
    path = write_report(read_facts(run))
    assert path == run / "report.html"
    path.write_text("old")
    write_report(read_facts(run))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert write_report(read_facts(run), tmp_path / "other.html").stat().st_size == path.stat().st_size
    assert (run / "journal.sqlite").read_bytes() == before
    assert not list(run.glob(".partial*"))


def test_an_empty_journal_makes_a_page_that_says_so(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite", settings(10)):
        pass
    page = Page(render(read_facts(tmp_path)))
    assert "no candidate yet" in page.text
    assert "stopped, 0 of 10" in page.text
    assert "finetune-top" not in page.text


def test_a_search_of_failures_has_a_page(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite", settings(1)) as journal:
        propose(journal, 0, genotypes(1)[0])
        answer(journal, 0, {}, "out of memory")
    page = Page(render(read_facts(tmp_path)))
    assert "done, 1 of 1" in page.text
    assert "out of memory" in page.text
    assert "No candidate has a reward yet." in page.text


def test_a_journal_of_other_makers_has_a_page(tmp_path: Path):
    """Settings that the search's own functions would need may be missing: what needs them is left out."""
    with Journal(tmp_path / "journal.sqlite", {"of": "a test"}) as journal:
        for number, genotype in enumerate(genotypes(2)):
            propose(journal, number, genotype)
            answer(journal, number, {"accuracy": 50.0 + number, "parameters": EVIL})
    page = Page(render(read_facts(tmp_path)))
    assert "done, 2 of 2" in page.text
    assert "automl-cells show" in page.text
    assert "automl-cells train" not in page.text
    assert "Mean per ε" not in page.text
    assert list(data_of(page)["columns"]) == ["trial", "status", "reward", "accuracy", "seconds", "repeats", "hash"]


def test_what_is_no_run_folder_is_refused_and_left_alone(tmp_path: Path):
    with pytest.raises(JournalError, match=r"a folder with a search in it \(journal\.sqlite\)"):
        read_facts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_candidate_adds_less_than_two_and_a_half_thousand_bytes(tmp_path: Path):
    """With its drawing, which takes some eight thousand as a file; 2,000 candidates make some three megabytes."""
    facts = read_facts(write_run(tmp_path / "run", 400))
    assert len(render(facts).encode()) < 400 * 2_500


@pytest.mark.parametrize(
    "details",
    [
        {"stopped_after": "x", "guesses": [50.0]},
        {"stopped_after": [3], "guesses": {"3": "x"}, "curve": [10**400, "x", 1e308]},
    ],
)
def test_notes_of_an_evaluator_of_ones_own_do_no_harm(tmp_path: Path, details):
    with Journal(tmp_path / "journal.sqlite", settings(6)) as journal:
        for number, genotype in enumerate(genotypes(6)):
            propose(journal, number, genotype, predicted="x", epsilon="x")
            answer(journal, number, {"accuracy": 50.0 + number}, **details)
    page = Page(render(read_facts(tmp_path)))
    assert "done, 6 of 6" in page.text
    assert "stopped early" not in page.text


def test_numbers_near_the_largest_are_drawn(tmp_path: Path):
    with Journal(tmp_path / "journal.sqlite", settings(6)) as journal:
        for number, genotype in enumerate(genotypes(6)):
            propose(journal, number, genotype, epsilon=10**400, predicted=10**50)
            metrics = {"accuracy": (-1) ** number * 1.7e308, "parameters": 10**300, "flops": number}
            answer(journal, number, metrics, curve=[1e308, -1e308])
            journal._connection.execute(
                "UPDATE events SET data = json_set(data, '$.seconds', 1e308) WHERE event = 'done'"
            )
    html = render(read_facts(tmp_path))
    assert "done, 6 of 6" in Page(html).text
    assert not {"nan", "inf"} & {*re.findall(r"[a-z]+", " ".join(re.findall(r"<(?:path|circle|rect) [^>]*>", html)))}


def test_the_settings_on_the_page_do_not_say_where_the_data_lie(tmp_path: Path):
    words = {"words": "npz:/home/ada/secret/mnist.npz?train=4000", "fingerprint": "sha256:0"}
    page = Page(render(read_facts(write_run(tmp_path / "run", 2, dataset=words))))
    settings_shown = page.text[page.text.index("Settings of the search") :]
    assert "npz:mnist.npz?train=4000" in settings_shown
    assert "/home/ada" not in settings_shown
    assert "--dataset 'npz:/home/ada/secret/mnist.npz?train=4000'" in page.text
