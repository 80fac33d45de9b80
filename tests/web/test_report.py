"""The report of a search in a real browser: sort, filter, slider, drawings, copying; no network, no error."""

import json

import pytest
from filelock import FileLock

from automl_cells.genotypes import from_document
from automl_cells.report.page import read_facts, write_report
from automl_cells.search.journal import Journal
from tests.report.runs import EVIL, answer, genotypes, propose, settings, write_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    return read_facts(write_run(tmp_path_factory.mktemp("runs") / "a_run", 60))


@pytest.fixture(scope="module")
def report(facts, tmp_path_factory):
    return write_report(facts, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def new_page(browser):
    """Opens reports in new pages, whose errors, dialogs and requests elsewhere fail the test at its end."""
    contexts, wrong = [], []

    def opened(path, **options):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: None if request.url == path.as_uri() else wrong.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(new_page, report):
    return new_page(report)


def listed(page):
    """The numbers of the trials in the table, from the top."""
    return [int(text) for text in page.locator(".candidates tbody th").all_inner_texts()]


def test_the_table_is_sorted_by_a_click_and_by_the_keyboard(page, facts):
    assert listed(page) == list(range(60))
    head = page.locator("th[data-column=parameters]")
    head.locator("button").click()
    largest = sorted(facts.trials, key=lambda trial: (-trial.metrics["parameters"], trial.number))
    assert listed(page) == [trial.number for trial in largest]
    assert head.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert listed(page) == [trial.number for trial in reversed(largest)]
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator("[aria-sort]").count() == 1
    page.locator("th[data-column=accuracy] button").click()
    assert set(listed(page)[-6:]) == {trial.number for trial in facts.failed}  # what has no value comes last


@pytest.mark.parametrize(
    ("words", "keeps"),
    [
        ("accuracy>70", lambda trial: trial.metrics.get("accuracy", 0) > 70),
        ("parameters<=10k failed", lambda trial: trial.status == "failed" and trial.metrics["parameters"] <= 10_000),
        ("ALERT(1)", lambda trial: trial.status == "failed"),
        ("status=failed", lambda trial: trial.status == "failed"),
        ("ε>0.5", lambda trial: trial.info["epsilon"] > 0.5),
        ("multiply-adds>400k", lambda trial: trial.metrics["flops"] > 400_000),
        ("params<=10k", lambda trial: trial.metrics["parameters"] <= 10_000),
        ("nothing of the kind", lambda trial: False),
    ],
)  # fmt: skip
def test_a_filter_leaves_what_it_says(page, facts, words, keeps):
    expected = [trial.number for trial in facts.trials if keeps(trial)]
    page.fill("#filter", words)
    page.get_by_text(f"{len(expected)} of 60", exact=True).wait_for()
    assert listed(page) == expected


def test_the_slider_shows_the_best_candidate_under_the_limit(page, facts):
    assert page.locator("#front-limit-label b").inner_text() == "without a limit"
    slider = page.locator("#front-limit")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    share = int(slider.input_value()) / 1000
    assert 0 < share < 1
    sizes = [trial.metrics["parameters"] for trial in facts.measured]
    bound = min(sizes) * (max(sizes) / min(sizes)) ** share  # the axis is logarithmic
    assert max(sizes) > 20 * min(sizes)
    within = [trial for trial in facts.measured if trial.metrics["parameters"] <= bound]
    best = max(within, key=lambda trial: trial.metrics["accuracy"])
    assert len(within) < len(facts.measured)
    accuracy, parameters = best.metrics["accuracy"], best.metrics["parameters"]
    assert page.locator("#front-best").inner_text() == (
        f"Best: trial {best.number} accuracy {accuracy:.2f} %, parameters {parameters:,}"
    )
    assert page.locator("#front-limit-label b").inner_text() == f"at most {round(bound):,}"
    page.click("#front-best button")
    assert page.locator("dialog h2").inner_text() == f"Trial {best.number}"


def test_the_least_candidate_keeps_the_limit_at_the_left_end_of_the_slider(new_page, tmp_path):
    sizes = [8, 20, 300, 1234, 5678]  # 10 ** Math.log10(8) is less than 8
    with Journal(tmp_path / "journal.sqlite", settings(len(sizes))) as journal:
        for number, genotype in enumerate(genotypes(len(sizes))):
            propose(journal, number, genotype)
            answer(journal, number, {"accuracy": 50.0 + number, "parameters": sizes[number]})
    page = new_page(write_report(read_facts(tmp_path)))
    page.locator("#front-limit").focus()
    page.keyboard.press("Home")
    assert page.locator("#front-best").inner_text() == "Best: trial 0 accuracy 50 %, parameters 8"


def test_the_axes_of_the_front_are_chosen(page, facts):
    page.select_option("#front-x", "flops")
    page.select_option("#front-y", "reward")
    best = max(facts.measured, key=lambda trial: (trial.reward, -trial.metrics["flops"]))
    assert page.locator("#front-best").inner_text() == (
        f"Best: trial {best.number} reward {best.reward:.2f}, multiply-adds {best.metrics['flops']:,}"
    )
    front = page.locator("#front-chart circle:not(.beaten)").evaluate_all("marks => marks.map(m => +m.dataset.trial)")
    rows = [(trial.metrics["flops"], trial.reward, trial.number) for trial in facts.measured]
    beaten = {n for f, r, n in rows if any(g <= f and s >= r and (g, s) != (f, r) for g, s, _ in rows)}
    assert sorted(front) == sorted({number for *_, number in rows} - beaten)


def test_the_drawing_of_a_candidate_is_opened_from_the_table_and_left_by_escape(page, facts):
    page.locator("#trial-17").click()
    page.wait_for_selector("dialog[open] .drawing svg")
    graph = facts.trials[17].genotype.graph()
    assert page.locator("dialog .node").count() == len(graph.labels)
    assert page.locator("dialog .node rect").first.evaluate("box => getComputedStyle(box).fill") == "rgb(51, 65, 85)"
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Trial 18", exact=True).wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Trial 19", exact=True).wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="Trial 18", exact=True).wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.locator("#trial-3 button").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Trial 3", exact=True).wait_for()


def test_drawings_in_the_place_of_the_table_follow_its_order_and_are_drawn_when_seen(page, facts):
    page.locator("th[data-column=reward] button").click()
    page.click("#view-drawings")
    page.wait_for_selector(".miniature svg")
    best = sorted(facts.trials, key=lambda trial: (-(trial.reward or 0), trial.number))[0]
    assert page.locator(".miniature b").first.inner_text() == f"Trial {best.number}"
    assert page.locator(".miniature").count() == 60
    assert page.locator(".miniature svg").count() < 60
    page.locator(".miniature").last.scroll_into_view_if_needed()
    page.wait_for_selector(".miniature:last-child svg")


def test_the_genotype_is_copied(new_page, report, facts):
    page = new_page(report, permissions=["clipboard-read", "clipboard-write"])
    page.click("#best .copy")
    page.locator("#best").get_by_text("Copied").wait_for()
    found = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert from_document(found) == facts.best.genotype
    page.locator("#trial-2").click()
    page.get_by_role("dialog").get_by_text("Copy the genotype").click()
    page.get_by_role("dialog").get_by_text("Copied").wait_for()
    assert from_document(json.loads(page.evaluate("navigator.clipboard.readText()"))) == facts.trials[2].genotype


def test_light_and_dark_follow_the_system_or_the_button(new_page, report):
    page = new_page(report, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    box = "getComputedStyle(document.querySelector('#best .node.end rect')).fill"
    dark = page.evaluate(f"[{ground}, {box}]")
    page.click("#theme")
    assert page.locator("#theme").get_attribute("aria-label") == "Colours: light"
    light = page.evaluate(f"[{ground}, {box}]")
    assert light == ["rgb(245, 246, 248)", "rgb(51, 65, 85)"]
    assert dark == ["rgb(14, 17, 22)", "rgb(203, 213, 225)"]
    page.reload()
    assert page.evaluate(f"[{ground}, {box}]") == light  # it is remembered


def test_a_chart_is_walked_along_with_the_keyboard(page, facts):
    page.locator("#search-chart").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip").inner_text().startswith("trial 0, done\nreward")
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip").inner_text().startswith("trial 1, done")
    page.keyboard.press("End")
    assert page.locator("#tip").inner_text().startswith("trial 59, failed")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Trial 59", exact=True).wait_for()


def test_learning_curves_are_walked_along_and_pointed_at(page, facts):
    chart = page.locator("#learning-chart")
    chart.focus()
    page.keyboard.press("Home")
    curves = [(len(curve), trial.number) for trial in facts.done if (curve := trial.details.get("curve"))]
    _, first = min(curves)  # from the left: who was stopped first
    page.wait_for_timeout(300)  # it scrolls into view meanwhile
    assert page.locator("#tip").is_visible()
    assert page.locator("#tip").inner_text().startswith(f"trial {first}, stopped early\n")
    assert set(chart.locator(".shown").evaluate_all("curves => curves.map(c => +c.dataset.curve)")) == {first}
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Trial {first}", exact=True).wait_for()
    page.keyboard.press("Escape")
    chart.locator(f"circle[data-trial='{facts.best.number}']").hover()
    page.wait_for_selector("#tip:not([hidden])")
    assert chart.locator(".series.shown").count() == 1


@pytest.mark.parametrize("hide", ["filter", "drawings"])
def test_a_link_to_a_row_that_is_hidden_opens_the_candidate(page, facts, hide):
    link = page.locator(f"a[href='#trial-{facts.best.number}']").first
    link.click()
    assert page.url.endswith(f"#trial-{facts.best.number}")  # the row is there: the link is one like any other
    assert page.locator("dialog[open]").count() == 0
    if hide == "filter":
        page.fill("#filter", "nothing of the kind")
        page.get_by_text("0 of 60", exact=True).wait_for()
    else:
        page.click("#view-drawings")
    link.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Trial {facts.best.number}", exact=True).wait_for()


def test_a_point_under_the_mouse_is_named(page, facts):
    mark = page.locator("#search-chart circle.top")
    mark.hover()
    page.wait_for_selector("#tip:not([hidden])")
    assert page.locator("#tip").inner_text().startswith(f"trial {facts.best.number}, done")


def test_the_first_tab_stop_skips_to_the_candidates(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "candidates"


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_a_page_is_as_wide_as_its_window(new_page, report, width):
    page = new_page(report)
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_without_javascript_curves_candidates_and_reasons_are_there(new_page, report, facts):
    page = new_page(report, java_script_enabled=False)
    assert page.locator("#search-chart circle").count() == len(facts.done)
    assert page.locator("#best .node").first.is_visible()
    assert page.locator("#trial-0").is_visible()
    assert EVIL in page.locator("#troubles").inner_text()
    assert page.locator("#front .without-script table").is_visible()
    assert not page.locator("#theme").is_visible()


def test_a_running_search_has_a_report_that_grows(new_page, tmp_path):
    run = write_run(tmp_path / "run", 5, trials=8)
    with FileLock(run / ".lock"):
        page = new_page(write_report(read_facts(run)))
        assert "running, 5 of 8" in page.locator("h1").inner_text()
        assert page.locator("#trial-5 .status").inner_text() == "running"
        with Journal(run / "journal.sqlite") as journal:
            answer(journal, 5, {"accuracy": 99.0, "parameters": 10})
        write_report(read_facts(run))
        page.reload()
    assert "running, 6 of 8" in page.locator("h1").inner_text()
    assert page.locator("#front-best").inner_text().startswith("Best: trial 5 accuracy 99.00 %")


@pytest.mark.parametrize("kind", ["empty", "one under way", "failures", "no metrics"])
def test_a_search_with_little_in_it_has_a_page_without_errors(new_page, tmp_path, kind):
    with Journal(tmp_path / "journal.sqlite", settings(4)) as journal:
        if kind != "empty":
            propose(journal, 0, genotypes(1)[0])
        if kind == "failures":
            answer(journal, 0, {}, EVIL)
        if kind == "no metrics":
            answer(journal, 0, {"accuracy": 50.0})
    page = new_page(write_report(read_facts(tmp_path)))
    assert page.locator("h1").is_visible()
    page.click("#theme")
