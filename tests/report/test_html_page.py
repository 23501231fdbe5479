import html
import os
import re

import pytest
from browser import CHROMIUM, Page, browse
from markupsafe import escape
from results_example import KEYWORDS, hostile, results, study_results, write_metrics

from manyheads.report import html_page
from manyheads.report.templating import TEMPLATES

MARK = "<script>alert('x')</script>\"&"


def macros():
    """The small pieces of a page, by their names."""
    return TEMPLATES.get_template("macros.html").module


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_metrics(folder, steps=120)
    return folder


@pytest.fixture(scope="module")
def page(out):
    return html_page.render(study_results(), out)


def test_page_is_balanced_and_its_ids_are_unique(page):
    read = Page(page)
    assert read.wrong == [] and read.open == []
    assert len(read.ids) == len(set(read.ids))
    targets = {value[1:] for _, name, value in read.attributes if name == "href" and value.startswith("#")}
    assert targets <= set(read.ids)


def test_everything_is_told_in_order(page):
    headings = [html.unescape(text) for text in re.findall(r"<h[12]>(.*?)</h[12]>", page)]
    assert headings == [
        results()["study"]["question"], "Verdicts", "Figures", "Each arm: settings, cost, every seed", "Data",
        "What failed", "How the comparison was made", "Settings of the study", "Reproduce it",
    ]  # fmt: skip
    shown = " ".join(" ".join(Page(page).texts).split())
    assert shown.index(headings[0]) < shown.index(results()["answer"]) < shown.index("18 comparisons")
    for text in (
        "the loss of squad became NaN at step 412", "every prediction is the same class", "2 of 3 seeds",
        "no gold label (-)", "<br /><br />", "one model per task", "9.14 GiB", "torch 2.13.0", "--data ../shared/hub",
    ):  # fmt: skip
        assert text in shown


def test_scores_differences_and_verdicts_are_those_of_the_results(page):
    given = results()
    for entry in given["comparisons"]:
        if entry["headline"]:
            sign = f"{100 * entry['difference']:+.1f}".replace("-", "−")
            assert f"{sign} {macros().chip(entry['verdict'])}" in page
    for score in given["scores"]:
        if score["headline"]:
            assert f'<span class="score">{100 * score["mean"]:.1f}</span>' in page


def test_the_same_results_give_the_same_bytes(page, out):
    assert html_page.render(study_results(), out) == page


def test_nothing_comes_from_elsewhere(page):
    assert not re.search(r"https?:|//[\w-]+\.\w|@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    loads = [value for _, name, value in Page(page).attributes if name in {"src", "srcset", "action", "data"}]
    assert loads == [] and len(page.encode()) < 2_000_000


def test_every_text_of_the_data_is_escaped(tmp_path):
    given = hostile(study_results(), MARK)
    page = html_page.render(given, tmp_path)
    read = Page(page)
    assert read.wrong == [] and read.tags.count("script") == 1
    assert "<script>alert" not in page and str(escape(MARK)) in page
    shown = " ".join(read.texts)
    for text in (
        given.study.question,
        given.answer,
        given.failed[0].reason,
        *given.arms,
        *given.tasks,
    ):
        assert text in shown and (text.endswith(MARK) or text in KEYWORDS)
    assert not [value for _, name, value in read.attributes if name.startswith("on")]


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "../../etc", "//evil.example/x", "a/../b", "/root", "a b", 'a"b', ""]
)
def test_only_plain_paths_inside_the_folder_become_links(path):
    assert "<a" not in macros().link(path)
    assert macros().link("joint/1") == '<a href="joint/1/">joint/1</a>'


def test_control_characters_and_halves_of_characters_do_not_reach_the_file(tmp_path):
    html_page.write(hostile(study_results(), "\x00\x1b\ud800"), tmp_path)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", (tmp_path / "report.html").read_text(encoding="utf-8"))


def test_written_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("the last one")
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            html_page.write(study_results(), tmp_path)
    assert (tmp_path / "report.html").read_text() == "the last one"
    assert (
        html_page.write(study_results(), tmp_path, figures=[]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    )


def test_a_study_in_which_everything_failed_still_has_a_report(tmp_path):
    given = results() | {"scores": [], "comparisons": [], "fingerprints": []}
    for about in given["arms"].values():
        about["cost"] = None
        for run in about["runs"]:
            run.update(status="failed", reason="no memory")
    page = html_page.render(study_results(given), tmp_path)
    assert Page(page).wrong == [] and "No run finished." in page and "There is nothing to draw." in page


def test_what_a_comparison_cannot_know_is_a_dash(out):
    given = results()
    entry = next(e for e in given["comparisons"] if e["arm"] == "joint" and e["task"] == "squad" and e["headline"])
    entry.update(difference=None, interval=None, p=None, p_holm=None, verdict="cannot tell", noise=None)
    score = next(s for s in given["scores"] if s["arm"] == "joint" and s["task"] == "mnli")
    score.update(interval=None, sd=None, undefined="seed 3: one class")
    given["tasks"]["mnli"].update(metric=None, split=None, items=None, train=None)
    page = html_page.render(study_results(given), out, figures=[])
    assert f"– {macros().chip('cannot tell')}" in page and "seed 3: one class" in page and "None" not in page


def test_several_machines_are_all_named(out):
    given = results()
    given["fingerprints"] += [given["fingerprints"][0] | {"device": "cuda"}]
    page = html_page.render(study_results(given), out, figures=[])
    assert "2 machines" in page and "cuda" in page


def test_settings_read_like_a_study_file():
    given = {"seeds": [1, 2], "budget": {"epochs": 3}, "tasks": {"a": {"head": {"name": "tag"}, "on": True}}}
    assert (
        html_page.toml(given)
        == 'seeds = [1, 2]\nbudget = { epochs = 3 }\n\n[tasks.a]\nhead = { name = "tag" }\non = true'
    )


# ---- in a browser ----------------------------------------------------------------------------------------------------


browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")


def answers(dom: str) -> list[str]:
    return html.unescape(re.search(r'<output id="answers">(.*?)</output>', dom, re.DOTALL)[1]).split("|")


TELL = """const out = document.createElement("output"); out.id = "answers"; document.body.append(out);
const tell = (text) => { out.textContent += (out.textContent ? "|" : "") + text; };
const table = document.querySelector("#verdicts table"), heads = table.tHead.rows[0].cells;
const column = (n) => [...table.tBodies[0].rows].map((row) => row.cells[n].dataset.sort).join(" ");
"""


@browser
def test_the_page_runs_without_a_complaint_under_its_own_policy(page, tmp_path):
    dom, console = browse(page, tmp_path)
    assert console == ""
    assert dom.count('<button type="button">') > 20 and 'type="search"' in dom


@browser
def test_the_policy_stops_a_script_that_is_not_ours(page, tmp_path):
    dom, console = browse(page.replace("</h1>", "<script>document.title = 'mine'</script></h1>"), tmp_path)
    assert "<title>three_tasks</title>" in dom and "Content Security Policy" in console


@browser
def test_tables_sort_by_number_both_ways_and_say_so(page, tmp_path):
    script = (
        TELL
        + """const press = () => heads[1].querySelector("button").click();
    tell(column(1)); press(); tell(column(1)); tell(heads[1].ariaSort);
    press(); tell(column(1)); tell(heads[1].ariaSort);
    heads[0].querySelector("button").focus(); tell(document.activeElement.tagName); document.activeElement.click();
    tell(column(0)); tell(String(heads[1].hasAttribute("aria-sort")));"""
    )
    dom, console = browse(page, tmp_path, script)
    start, down, said_down, up, said_up, focus, names, left = answers(dom)
    numbers = [float(value) for value in start.split()]
    assert (
        console == ""
        and [float(v) for v in down.split()] == sorted(numbers, reverse=True)
        and said_down == "descending"
    )
    assert [float(v) for v in up.split()] == sorted(numbers) and said_up == "ascending"
    assert focus == "BUTTON" and names.startswith("joint, proportional one model") and left == "false"


@browser
def test_rows_without_a_value_stay_at_the_end(out, tmp_path):
    given = results()
    entry = next(e for e in given["scores"] if e["arm"] == "joint" and e["task"] == "sst2" and e["headline"])
    entry.update(mean=None, interval=None, sd=None, undefined="one class")
    script = (
        TELL
        + """for (const n of [1, 2]) { heads[1].querySelector("button").click();
    tell([...table.tBodies[0].rows].at(-1).cells[0].textContent); }"""
    )
    dom, _ = browse(html_page.render(study_results(given), out, figures=[]), tmp_path, script)
    assert all(name.startswith("joint") for name in answers(dom))


@browser
def test_the_long_table_filters_and_printing_unfolds(page, tmp_path):
    script = (
        TELL
        + """const box = document.querySelector("input[type=search]");
    box.value = "JOINT squad exact"; box.dispatchEvent(new Event("input"));
    tell([...document.querySelectorAll("#scores tbody tr")].filter((row) => !row.hidden).length);
    tell(document.querySelector(".filter [role=status]").textContent);
    const closed = () => document.querySelectorAll("details:not([open])").length;
    tell(closed() > 5); dispatchEvent(new Event("beforeprint")); tell(closed());
    dispatchEvent(new Event("afterprint")); tell(closed() > 5);"""
    )
    dom, console = browse(page, tmp_path, script)
    assert console == "" and answers(dom) == ["1", "1 of 35 rows", "true", "0", "true"]


@browser
def test_a_phone_never_scrolls_the_page_sideways(page, tmp_path):
    script = (
        TELL.splitlines()[0]
        + """const frame = document.createElement("iframe"); frame.style.width = "360px";
    document.querySelectorAll("script").forEach((script) => script.remove());
    frame.srcdoc = document.documentElement.outerHTML.replaceAll("<details", "<details open");
    frame.onload = () => { const root = frame.contentDocument.documentElement;
      out.textContent = root.scrollWidth + "|" + root.clientWidth; };
    document.body.append(frame);"""
    )
    dom, _ = browse(page, tmp_path, script)
    wide, there = map(int, answers(dom))
    assert wide <= there <= 360
