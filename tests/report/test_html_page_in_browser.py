"""The report as people use it: in a real browser, with mouse and keyboard, on paper, on a phone, in the dark.

Needs Chromium and the package playwright, which drives the browser that is installed and downloads none.
"""

import io
import re

import pytest
import results_example
from browser import CHROMIUM
from waiting import LIMIT

from manyheads.analyses import Column, DataTable, Section
from manyheads.core.values import HighlightedText
from manyheads.report import drawing, html_page
from manyheads.runner.analysis_sections import section_entry

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright, which is not installed")
pypdf = pytest.importorskip("pypdf", reason="needs the package pypdf, which is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")

VERDICTS = "#verdicts > .scroll table"
LARGEST = 2_000_000
"""Bytes of a report, so that it can be sent by mail."""
CONTRAST = 4.5
"""Of text to paper, as WCAG 2.2 asks for in its criterion 1.4.3."""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags, timeout=1000 * LIMIT)
        yield browser
        browser.close()


def analysis() -> tuple[dict, dict[str, bytes]]:
    """What an analysis found: a sentence, a long table with long texts and marks, a figure."""
    long = "The soup was cold, but the waiter was kind, and so we stayed for another hour. " * 4
    verdicts = ["helps", "hurts", "no difference", "cannot tell"]
    rows = [[f"example-{row}", HighlightedText(long, 4, 8), row / 20 - 0.4, verdicts[row % 4]] for row in range(20)]
    columns = ["id", "text", Column("change", "gain"), Column("verdict", "verdict")]
    with drawing.house_look():
        sheet = drawing.new_sheet(60)
        sheet.text(0.1, 0.5, "drawn")
        figure = drawing.finish(sheet, "counts", "Counts", "Read it from left to right.", "Counts of each kind")
    parts = ["One text.", DataTable("changed", columns, rows), figure]
    return section_entry("changed_answers", Section("Changed answers", "20 answers changed.", parts))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The report of a study with 54 runs, and its results."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results_example, "SEEDS", [1, 2, 3, 4, 5, 6])
        folder = tmp_path_factory.mktemp("study")
        results_example.write_metrics(folder)
        entry, files = analysis()
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        results = results_example.study_results(results_example.results() | {"analyses": [entry]})
        return html_page.write(results, folder), results


class Watched:
    """A page in a window of its own, and everything that a person should know about it."""

    def __init__(self, browser, path, **window):
        self.context = browser.new_context(**window)
        self.context.set_default_timeout(1000 * LIMIT)
        self.page = self.context.new_page()
        self.heard, self.asked = [], []
        self.page.on("console", lambda message: self.heard.append(message.text))
        self.page.on("pageerror", lambda error: self.heard.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.heard.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri() if hasattr(path, "as_uri") else path)


@pytest.fixture
def opened(browser):
    """Opens a report; afterwards nothing may have been complained about, nor fetched from anywhere."""
    pages = []

    def open_report(path, **window):
        pages.append(Watched(browser, path, **window))
        return pages[-1].page

    yield open_report
    for one in pages:
        one.context.close()
        assert one.heard == []
        assert {url.split("#")[0] for url in one.asked if not url.startswith("data:")} == {one.asked[0].split("#")[0]}
        assert one.asked[0].startswith("file:")


def column(page, table: str, number: int) -> list[str]:
    """What the rows that can be seen are sorted by."""
    return page.eval_on_selector_all(
        f"{table} tbody tr:not([hidden])", f"rows => rows.map(row => row.cells[{number}].dataset.sort)"
    )


def tab_to(page, wanted: str, limit: int = 200) -> None:
    """Press Tab until the focus is on what a selector means."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


# ---- the file --------------------------------------------------------------------------------------------------------


def test_a_study_of_fifty_runs_fits_into_a_mail(study):
    path, results = study
    assert sum(len(arm.runs) for arm in results.arms.values()) == 54
    assert 100_000 < path.stat().st_size <= LARGEST


def test_it_opens_without_complaint_and_asks_nothing_of_the_network(study, opened):
    page = opened(study[0])
    assert page.title() == "three_tasks" and page.locator("h1").inner_text() == study[1].study.question
    assert page.locator("figure svg").count() == 5 and page.locator("figure img").count() == 1
    assert page.evaluate("document.querySelector('figure img').naturalWidth") > 0


def test_without_scripts_everything_is_there(study, opened):
    page = opened(study[0], java_script_enabled=False)
    assert page.locator(f"{VERDICTS} tbody tr").count() == 7 and page.locator("button").count() == 0
    page.get_by_text("All scores, every metric").click()
    assert page.locator("#scores tbody tr").count() == 35 and page.locator("#scores tbody tr").last.is_visible()


# ---- sorting, filtering, folding -------------------------------------------------------------------------------------


def test_the_mouse_sorts_a_table_both_ways(study, opened):
    page = opened(study[0])
    before = [float(value) for value in column(page, VERDICTS, 1)]
    head = page.locator(f"{VERDICTS} th").nth(1)
    head.locator("button").click()
    assert [float(value) for value in column(page, VERDICTS, 1)] == sorted(before, reverse=True) != before
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert [float(value) for value in column(page, VERDICTS, 1)] == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator(f"{VERDICTS} th button").first.click()
    swept = [f"weighted, squad {value}" for value in (0.2, 0.35, 0.5, 0.65, 0.8)]  # as numbers: 0.35 before 0.5
    assert column(page, VERDICTS, 0) == ["joint, proportional", "one model per task", *swept]
    assert head.get_attribute("aria-sort") is None


def test_the_keyboard_sorts_a_table_and_keeps_its_place(study, opened):
    page = opened(study[0])
    before = [float(value) for value in column(page, VERDICTS, 2)]
    tab_to(page, f"{VERDICTS} th:nth-child(3) button")
    name = focused(page)
    assert "mnli" in name
    ring = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid" in ring and "0px" not in ring
    page.keyboard.press("Enter")
    assert [float(value) for value in column(page, VERDICTS, 2)] == sorted(before, reverse=True)
    page.keyboard.press("Space")
    assert [float(value) for value in column(page, VERDICTS, 2)] == sorted(before)
    assert focused(page) == name
    page.keyboard.press("Tab")
    assert "squad" in focused(page)


def test_the_long_table_is_filtered_as_one_types(study, opened):
    page = opened(study[0])
    tab_to(page, "#verdicts details:last-of-type summary")
    page.keyboard.press("Enter")
    tab_to(page, "#scores-filter")
    page.keyboard.type("Joint SQUAD")
    rows = page.locator("#scores tbody tr:visible")
    assert rows.count() == 2 and page.locator("#verdicts").get_by_role("status").inner_text() == "2 of 35 rows"
    page.keyboard.type(" exact")
    assert rows.count() == 1 and "exact" in rows.inner_text()
    page.keyboard.type(" nonsense")
    assert rows.count() == 0 and page.locator("#verdicts").get_by_role("status").inner_text() == "0 of 35 rows"
    page.keyboard.press("Escape")
    assert rows.count() == 35 and page.locator("#scores-filter").input_value() == ""


def test_sorting_keeps_the_filter_and_filtering_the_order(study, opened):
    page = opened(study[0])
    page.get_by_text("All scores, every metric").click()
    page.locator("#scores-filter").fill("f1")
    page.locator("#scores th button").nth(3).click()
    shown = [float(value) for value in column(page, "#scores", 3)]
    assert len(shown) == 7 and shown == sorted(shown, reverse=True)
    page.locator("#scores-filter").fill("")
    shown = [float(value) for value in column(page, "#scores", 3) if value]
    assert len(shown) == 34 and shown == sorted(shown, reverse=True)


def test_folding_by_mouse_and_by_keyboard(study, opened):
    page = opened(study[0])
    arm = page.locator("#arms details").first
    seeds = arm.get_by_role("heading", name="Every seed")
    assert not seeds.is_visible()
    arm.locator("summary").click()
    assert seeds.is_visible()
    arm.locator("summary").click()
    assert not seeds.is_visible()
    page.locator("nav a").last.focus()
    tab_to(page, "#arms details:first-of-type summary")
    page.keyboard.press("Enter")
    assert seeds.is_visible()
    page.keyboard.press("Space")
    assert not seeds.is_visible()


def test_the_table_of_an_analysis_sorts_filters_and_unfolds_its_texts(study, opened):
    page = opened(study[0])
    table = page.locator("#analysis-changed_answers table")
    table.locator("th button").nth(2).click()
    changes = [float(value) for value in column(page, "#analysis-changed_answers table", 2)]
    assert len(changes) == 20 and changes == sorted(changes, reverse=True)
    page.locator("#analysis-changed_answers").get_by_label("Show rows with").fill("hurts")
    assert table.locator("tbody tr:visible").count() == 5
    folded = table.locator("tbody tr:visible details").first
    assert folded.locator("mark:visible").count() == 1
    whole = folded.locator("> div")
    assert not whole.is_visible()
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert whole.is_visible() and whole.inner_text().count("soup") == 4


def test_a_link_to_something_folded_opens_it(study, opened):
    page = opened(f"{study[0].as_uri()}#scores")
    assert page.locator("#scores").is_visible()


def test_every_control_has_a_name_and_every_link_a_target(study, opened):
    page = opened(study[0])
    for role in ("button", "searchbox", "img", "link"):
        nameless = page.get_by_role(role, name=re.compile(r"^\s*$"), include_hidden=True)
        assert page.get_by_role(role, include_hidden=True).count() > 0 and nameless.count() == 0, role
    broken = "links => links.filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert page.eval_on_selector_all("a[href^='#']", broken) == 0


# ---- texts of other people -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark",
    ["<script>window.ran = 1</script>", "<img src=x onerror='window.ran = 1'>", "\"'><svg onload=window.ran=1>",
     "</style></script>"],
)  # fmt: skip
def test_texts_of_the_data_are_texts(mark, opened, tmp_path):
    results = results_example.hostile(results_example.study_results(), mark)
    page = opened(html_page.write(results, tmp_path))
    assert page.evaluate("window.ran") is None
    assert page.locator("script").count() == 1 and page.locator("img").count() == 0
    label = results.label(next(arm for arm in results.arms if arm.startswith("joint")))
    assert label.endswith(mark) and page.locator(f"{VERDICTS} tbody th", has_text=label).count() == 1
    assert page.locator("h1").inner_text() == results.study.question
    page.locator(f"{VERDICTS} th button").nth(1).click()
    assert page.locator(f"{VERDICTS} th").nth(1).get_attribute("aria-sort") == "descending"


# ---- paper, phone, dark ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False])
def test_it_prints_with_everything_that_was_folded(scripts, study, opened):
    page = opened(study[0], java_script_enabled=scripts)
    closed = page.locator("details:not([open])").count()
    printed = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    shown = " ".join(" ".join(sheet.extract_text() for sheet in printed.pages).split())
    for words in (
        "Do sentiment, inference and question answering help each other", "weighted, squad 0.65", "cannot tell",
        "the loss of squad became NaN at step 412", "bert-base-uncased", "Every seed", "matthews", "torch 2.13.0",
    ):  # fmt: skip
        assert words in shown
    assert "Show rows with" not in shown and 4 <= len(printed.pages) <= 40
    assert page.locator("details:not([open])").count() == closed > 5  # and folds again afterwards


@pytest.mark.parametrize("width", [320, 380])
def test_a_narrow_window_never_scrolls_sideways(width, study, opened):
    page = opened(study[0], viewport={"width": width, "height": 700})
    page.eval_on_selector_all("details", "parts => parts.forEach(part => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("window.scrollTo(600, 0)")
    assert page.evaluate("window.scrollX") == 0
    table = page.locator("#verdicts > .scroll")
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")  # the table scrolls in its box instead
    table.evaluate("box => { box.scrollLeft = 200; }")
    name, box = page.locator(f"{VERDICTS} tbody th").first.bounding_box(), table.bounding_box()
    assert name["x"] == pytest.approx(box["x"], abs=1)  # and the names of the arms stay


WORST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const pixel = (...colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const light = (rgb) => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const papers = (node) => node === null ? [] : [...papers(node.parentElement), getComputedStyle(node).backgroundColor];
  let worst = [99, ""];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!own || node.matches("script, style, [aria-hidden]") || !node.getClientRects().length) continue;
    const style = getComputedStyle(node), under = papers(node);
    const ink = node instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(pixel("white", ...under, ink)), light(pixel("white", ...under))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${node.tagName} ${ink}: ${node.textContent.trim().slice(0, 60)}`];
  }
  return [...worst, light(pixel("white", getComputedStyle(document.body).backgroundColor))];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_paper(scheme, study, opened):
    page = opened(study[0], color_scheme=scheme)
    page.eval_on_selector_all("details", "parts => parts.forEach(part => { part.open = true; })")
    ratio, where, paper = page.evaluate(WORST)
    assert ratio >= CONTRAST, f"{ratio:.2f}: {where}"
    assert paper < 0.05 if scheme == "dark" else paper > 0.95


@pytest.mark.slow
def test_paper_is_light_in_the_dark_too(study, opened):
    page = opened(study[0], color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    _, _, paper = page.evaluate(WORST)
    assert paper > 0.95
