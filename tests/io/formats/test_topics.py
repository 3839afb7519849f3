"""TREC's topics, of every kind that its tracks have published."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import topics, trec

ROBUST = """
<top>

<num> Number: 301
<title> International Organized Crime

<desc> Description:
Identify organizations that participate in
international criminal activity.

<narr> Narrative:
A relevant document must as a minimum identify the organization.

</top>

<top>
<head> Tipster Topic Description
<num> Number: 051
<dom> Domain: International Economics
<title> Topic: Airbus Subsidies &
 AT&amp;T
<desc> Description: Document will discuss government assistance.
</top>
"""
COVID = """<?xml version="1.0" encoding="UTF-8"?>
<topics task="COVIDSearch">
 <topic number="1">
  <query>coronavirus origin</query>
  <question>what is the origin of COVID-19</question>
 </topic>
 <topic number='2'><query>weather &lt;&quot;</query></topic>
</topics>
"""
DESCRIPTION_ONLY = "<top>\n<num> Number: 7\n<desc> Description:\nhow does it work?\n</top>\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ROBUST, [(2, "301", "International Organized Crime"), (16, "051", "Airbus Subsidies & AT&T")]),
        (COVID, [(3, "1", "coronavirus origin"), (7, "2", 'weather <"')]),
        (DESCRIPTION_ONLY, [(1, "7", "how does it work?")]),
        ("<top><num>1</num><title>a</title></top> <top><num>2<title>b</top>", [(1, "1", "a"), (1, "2", "b")]),
        ("<top><num>1</num><title>an <i>odd</i> one</title></top>", [(1, "1", "an <i>odd</i> one")]),
        ("wt09-1:obama family tree\nwt09-2:time: 3:10 to yuma\n",
         [(1, "wt09-1", "obama family tree"), (2, "wt09-2", "time: 3:10 to yuma")]),
        ("1\thow: a colon\n\n2\tsecond\n", [(1, "1", "how: a colon"), (3, "2", "second")]),
        ("", []),
    ],
)  # fmt: skip
def test_topics(tmp_path: Path, content: str, expected: list[tuple[int, str, str]]) -> None:
    (tmp_path / "topics").write_text(content)
    assert list(topics.read_queries(tmp_path / "topics")) == expected


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("<top>\n<num>1\n<title>a\n<top>\n<num>2\n</top>\n", 1, "has no </top>"),
        ('{"query_id": "1", "text": "x"}', 1, "neither a topic in SGML"),
        ("<top>\n<num>1\n<title>a\n", 1, "has no </top>"),
        ("1:a\nno number\n", 2, "neither a topic in SGML"),
        ("<top>\n<title>a\n</top>\n", 1, "`num` is missing"),
        ("\n<top>\n<num>1\n<title>\n</top>\n", 2, "`title` is empty"),
        ("<top>\n<num> Number: 1 2\n<title>x</top>\n", 1, "'1 2' has white space"),
    ],
)
def test_bad_topics(tmp_path: Path, content: str, line: int, problem: str) -> None:
    (tmp_path / "topics").write_text(content)
    with pytest.raises(InputError, match=rf"topics, line {line}: .*{problem}"):
        list(topics.read_queries(tmp_path / "topics"))


def test_vaswani(shared_data: Path) -> None:
    folder = shared_data / "vaswani"
    queries = list(topics.read_queries(folder / "query-text.trec"))
    judged = list(trec.read_judgements(folder / "qrels"))
    assert len(queries) == 93
    assert queries[0][1:] == (
        "1",
        "MEASUREMENT OF DIELECTRIC CONSTANT OF LIQUIDS BY THE USE OF MICROWAVE TECHNIQUES",
    )
    assert {row.query_id for row in judged} == {row.query_id for row in queries}
