"""Annotations in the report: what a card shows, inert whatever its texts hold, filtered in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from judged_questions import HOSTILE, JUDGES, LONG, JudgedPool, write_judged_pool

from utility_annotation.planning.loading import load
from utility_annotation.reporting.browser import Text, visible
from utility_annotation.reporting.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CONFIGURATION: dict[str, Any] = {
    "models": {"m": {"hub": "a/b"}},
    "datasets": {
        "d": {
            "corpus": {"format": "beir", "path": "c"},
            "splits": {"train": {"queries": {"format": "beir", "path": "q"}, "qrels": {"format": "trec", "path": "r"}}},
        }
    },
    "pools": {"p": {"dataset": "d", "source": {"path": "t.jsonl"}}},
    "annotators": {
        "llm": {"engine": "openai", "served_model_name": "far"},
        "small": {"model": "m", "protocol": "pointwise"},
    },
}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav", "a", "section", "div"),
    *(
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "br",
        "details",
        "summary",
        "pre",
        "form",
        "label",
        "select",
        "option",
    ),
    *("input", "button", "output", "span", "b", "bdi", "em", "dl", "dt", "dd", "ul", "li", "script"),
}
"""All that a page without tables of results and figures is made of."""


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text within each card."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts = ""
        self._within = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts += data
        elif self._within != "style":
            self.text += data


@pytest.fixture(scope="module")
def file(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return write(root, folder, write_judged_pool(folder))


def write(root: Path, folder: Path, pool: JudgedPool, **settings: Any) -> Path:
    """A report with the cards of a pool."""
    cards, _ = pool.collect(**settings)
    template = root / "resources" / "report" / "report.html.j2"
    page = folder / "report.html"
    page.write_text(render(template, load(CONFIGURATION), samples=[cards]), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def page(file: Path) -> Page:
    return Page(file.read_text(encoding="utf-8"))


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "Pool p: 4 of 4 questions, which is all of them.",
        "utilrank · llm: the first 50 % of the list",
        "utilsel · llm: failed",
        "Ground-truth answer",
        "gravity",
        "3 requests, 100 tokens read, 10 written; finished: stop",
        "passages cut to 77 words to fit",
        "the whole pool was shown",
        "the ranking names 2 of the passages, and the others count as not chosen",
        "finished: HTTP 500 <b>",
        "far on a server, listwise, openai",
    ],
)
def test_a_card_shows(page: Page, text: str) -> None:
    assert text in flat(page.text)


def test_of_a_part_it_is_said_how_it_was_chosen(root: Path, tmp_path: Path) -> None:
    text = flat(Page(write(root, tmp_path, write_judged_pool(tmp_path), questions=2).read_text("utf-8")).text)
    assert "Pool p: 2 of 4 questions" in text
    assert "not representative" in text


def test_where_nothing_can_be_compared_nothing_is_counted(file: Path) -> None:
    rows = re.findall(r'<tr><th scope="row">(\w+) · llm</th>(.*?)</tr>', file.read_text("utf-8"), re.DOTALL)
    cells = {name: re.findall(r'<td class="figure">(.*?)</td>', row) for name, row in rows}
    assert cells["answer"] == ["", "", "", "0", "0", "0", "0"]
    assert cells["relsel"] == ["1", "1", "1", "1", "1", "0", "0"]


def test_what_was_cut_is_said(page: Page) -> None:
    assert f"{len(LONG) - 6000:,} characters more are in the files" in page.text


def test_texts_make_no_element_and_no_attribute(page: Page) -> None:
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not [attributes for _, attributes in page.elements if attributes.keys() & {"src", "style", "srcdoc"}]


def test_the_one_script_is_our_own(root: Path, page: Page) -> None:
    assert page.scripts == (root / "resources" / "report" / "annotations.js").read_text("utf-8")


def test_hostile_texts_are_shown_as_they_are(page: Page) -> None:
    assert page.text.count(visible(HOSTILE)) >= 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\x00\x1b[0m", "⟨U+0000⟩⟨U+001B⟩[0m"),
        ("tab\tline\nbreak", "tab\tline\nbreak"),
        ("dos\r\nline", "dos\nline"),
        ("שלום ü", "שלום ü"),
    ],
    ids=["direction", "control", "blanks", "line end", "letters"],
)
def test_unseen_characters_are_written_as_numbers(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["short", "word " * 200, "x" * 2000, ""])
def test_a_text_is_shown_in_two_parts_that_make_it_whole(text: str) -> None:
    found = Text.of({"text": text, "left_out": 0})
    assert found.head + found.rest == text
    assert found.left_out == 0
    assert len(found.head) <= 420


def test_every_control_has_a_label(file: Path) -> None:
    form = re.search(r"<form.*?</form>", file.read_text("utf-8"), re.DOTALL)
    assert form
    controls = len(re.findall(r"<(?:select|input)\b", form[0]))
    assert controls == 4
    assert len(re.findall(r"<label[^>]*>[^<]+<(?:select|input)\b", form[0])) == controls


def dump(page: Path, query: dict[str, str] | None = None) -> str:
    """The page's document after its script, in a browser."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    address = page.as_uri() + (f"#annotations?{urlencode(query)}" if query else "")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(document: str) -> list[str]:
    """The ids of the cards that are not hidden."""
    cards = [dict(attributes) for tag, attributes in Page(document).elements if attributes.get("class") == "card"]
    return sorted(str(card["data-id"]) for card in cards if "hidden" not in card)


@pytest.mark.process
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["q1", "q2", "q3", "q4"]),
        ({"outcome": "error"}, ["q3"]),
        ({"judge": "relsel · llm", "outcome": "error"}, []),
        ({"judge": "relsel · llm", "outcome": "empty"}, ["q4"]),
        ({"outcome": "again"}, ["q2"]),
        ({"judge": "utilsel · llm", "outcome": "whole"}, ["q2", "q4"]),
        ({"outcome": "completed"}, ["q4"]),
        ({"judge": "relsel · llm", "beside": "same"}, ["q3"]),
        ({"judge": "relsel · llm", "beside": "adds"}, ["q1"]),
        ({"judge": "relsel · llm", "beside": "misses"}, ["q4"]),
        ({"judge": "own"}, ["q1", "q2", "q3"]),
        ({"q": "WATER why"}, ["q1"]),
        ({"q": "q3"}, ["q3"]),
        ({"q": "ünïcode"}, ["q3"]),
        ({"judge": "no such"}, ["q1", "q2", "q3", "q4"]),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else None,
)
def test_the_address_says_which_cards_are_shown(file: Path, query: dict[str, str], expected: list[str]) -> None:
    document = dump(file, query)
    assert shown(document) == expected
    assert f"{len(expected)} of 4 questions" in document


@pytest.mark.process
@pytest.mark.parametrize("width", [390, 1280])
def test_no_width_needs_scrolling_sideways(file: Path, tmp_path: Path, width: int) -> None:
    """Every card is open; the copy that is measured has a script, and so must do without the policy."""
    excess = "const page = document.documentElement; parent.postMessage(page.scrollWidth - page.clientWidth, '*')"
    html = re.sub(r"<meta http-equiv=[^>]*>", "", file.read_text("utf-8")).replace("<details ", "<details open ")
    (tmp_path / "inner.html").write_text(html.replace("</body>", f"<script>{excess}</script></body>"), "utf-8")
    outer = tmp_path / "outer.html"
    outer.write_text(
        "<script>addEventListener('message', (event) => { document.title = event.data; })</script>"
        f"<iframe src='inner.html' style='width: {width}px; height: 800px; border: 0'></iframe>"
    )
    assert "<title>0</title>" in dump(outer)


@pytest.mark.process
def test_no_script_in_a_text_runs(file: Path) -> None:
    assert "<title>Utility-focused annotation: report</title>" in dump(file)


@pytest.mark.process
def test_the_policy_alone_keeps_a_foreign_script_from_running(file: Path, tmp_path: Path) -> None:
    """Even where one came to stand in the page."""
    foreign = tmp_path / "foreign.html"
    script = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    foreign.write_text(file.read_text("utf-8").replace("</header>", script + "</header>"), "utf-8")
    assert "<title>Utility-focused annotation: report</title>" in dump(foreign)


def test_without_a_script_all_is_there_and_no_filter(page: Page) -> None:
    cards = [attributes for tag, attributes in page.elements if attributes.get("class") == "card"]
    assert len(cards) == 4
    assert not [card for card in cards if "hidden" in card]
    assert next(attributes for tag, attributes in page.elements if tag == "form").keys() >= {"hidden"}


def test_where_nobody_judges_no_annotations_are_shown(root: Path) -> None:
    page = Page(render(root / "resources" / "report" / "report.html.j2", load(CONFIGURATION)))
    assert "annotations" not in {attributes.get("id") for _, attributes in page.elements}


def test_an_ignored_passage_has_a_mark_of_its_own_and_the_page_says_what_it_means(root: Path, tmp_path: Path) -> None:
    judges = [judge | ({"ignore": "relsel"} if judge.get("stage") == "utilsel" else {}) for judge in JUDGES]
    pool = write_judged_pool(tmp_path)
    found = Page(write(root, tmp_path, pool, judges=judges).read_text(encoding="utf-8"))
    assert "utilsel · llm: ○ is a passage that relsel chose and this stage did not." in flat(found.text)
    before = Page(write(root, tmp_path, pool).read_text(encoding="utf-8"))
    assert (found.text.count("○"), before.text.count("○")) == (2, 0)
