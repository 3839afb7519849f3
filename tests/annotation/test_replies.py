"""Replies are read strictly: what is not plainly a selection or ranking marks nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.annotation.replies import (
    RANKING,
    SELECTION,
    Reading,
    after_thinking,
    read_ranking,
    read_selection,
)
from utility_annotation.engines.protocol import Completion


def reply(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(text, finish_reason, 1, 1)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("My selection:[[3],[1]]", (3, 1)),
        ("My selection: [[2], [5]].", (2, 5)),
        ("  my selection:[2]\n", (2,)),
        ("My selection:[[1],[1],[2],[1]]", (1, 2)),
        ("My selection:[[2]]\nMy selection:[[2]]", (2,)),
        ("Passage [4] is the best.\nMy selection:[[2]]\nIt was easy.", (2,)),
    ],
)
def test_selection_is_read_in_reply_order(text: str, numbers: tuple[int, ...]) -> None:
    assert read_selection(reply(text), 5) == Reading("ok", numbers)


@pytest.mark.parametrize(
    "text",
    [
        "**My selection:[[3],[1]]**",
        "**My selection:** [[3],[1]]",
        "`My selection:[[3],[1]]`",
        "My selection: `[[3],[1]]`.",
        "- My selection:[[3],[1]]",
        "* My selection:[[3],[1]]",
        "### My selection:[[3],[1]]",
        "My selection: [3,1]",
        "My selection: [[3, 1]]",
        "My selection:[[3], 1]",
        "My selection:[[3],[1],]",
        "My selection:\n[[3],[1]]",
        "**My selection:**\n\n```json\n[[3],[1]]\n```",
        "```\nMy selection:[[3],[1]]\n```\nThey answer the question.",
        r"My selection:\[\[3\],\[1\]\]",
        "My selection\uff1a[[3]\uff0c[1]]",
        "My selection:[[3],\n[1]]",
        "My selection:[[3]\n,[1]]",
        "My selection:[\n  [3],\n  [1]\n]",
        "My selection:\n- [3],\n- [1]",
    ],
)
def test_a_decorated_or_wrapped_selection_is_read_whole(text: str) -> None:
    assert read_selection(reply(text), 5) == Reading("ok", (3, 1))


@pytest.mark.parametrize(
    "text",
    [
        "1. [2] > [1] > [3]",
        "Ranking: [2] > [1] > [3]",
        "My ranking: [2] > [1] > [3].",
        "**Final ranking:** [2] > [1] > [3]",
        "The answer:\n**[2] > [1] > [3]**",
        "Here is my ranking:\n\n`[2] > [1] > [3]`\n\nPassage [3] is of little use.",
        "```text\n[2] > [1] > [3]\n```",
        "[2] > [1] > [3]\n[2] > [1] > [3]",
        r"$\[2\] > \[1\] > \[3\]$",
        "[2] &gt; [1] &gt; [3]",
        "[2] > [1] >\n[3]",
        "[2] > [1]\n> [3]",
        "[2]\n>\n[1]\n>\n[3]",
        "[2] > [\n1] > [3]",
        "1. [2] >\n2. [1] >\n3. [3]",
    ],
)
def test_a_decorated_or_wrapped_ranking_is_read_whole(text: str) -> None:
    assert read_ranking(reply(text), 5) == Reading("ok", (2, 1, 3))


@pytest.mark.parametrize(
    "text",
    [
        "My selection:[[1]]\n[2]",
        "My selection:[[1]]\n\n, [2]",
        "My selection:[[1]],\nand [2]",
        "My selection:\n- [1]\n- [3]",
        "My selection:[[1],\nwhich is good, and [2]]",
        "My selection:[[1]\n[2]]",
        "My selection:[1\n2]",
        "My selection:[1*2]",
        "My selection:~~[[1]]~~",
        "My selection:[[1-3]]",
        "My selection:[[1]] and [[2]]",
        "> My selection:[[1]]",
    ],
)
def test_no_selection_is_read_in_part(text: str) -> None:
    assert read_selection(reply(text), 30) == Reading("unparsable")


@pytest.mark.parametrize(
    "text",
    [
        "[2] > [1]\n[3]",
        "[3]\n[2] > [1]",
        "[2] > [1] >\nthe rest",
        "[2] > [1] > ...",
        "[2] > [1] >",
        "I rank them [4] >\n[2] > [1]",
        "I rank them [4] >\n[2]\n[3] > [1]",
        "[2] > [1]\n> [3] is not useful",
        "[2] > [1\n2] > [3]",
        "[2] > [1]\n[1] > [2]",
        "1. [2] > [1]\n2. [3] > [4]",
        "1. [2]\n2. [1]",
        "First: [1] > [2]",
    ],
)
def test_no_ranking_is_read_in_part(text: str) -> None:
    assert read_ranking(reply(text), 30) == Reading("unparsable")


@pytest.mark.parametrize("number", ["0", "-1", "99", "+6", "000"])
def test_number_outside_the_pool_never_marks_a_passage(number: str) -> None:
    assert read_selection(reply(f"My selection:[[{number}],[2]]"), 5) == Reading("ok", (2,))
    assert read_selection(reply(f"My selection:[[{number}]]"), 5) == Reading("unparsable")
    assert read_ranking(reply(f"[{number}] > [2]"), 3) == Reading("ok", (2,))
    assert read_ranking(reply(f"[{number}] > [{number}]"), 3) == Reading("unparsable")


@pytest.mark.parametrize(
    "text",
    [
        "[[1],[2]]",
        "I choose [1] and [2].",
        'Passage 2 says "My selection:[[1]]".',
        "Passage 2 says My selection:[[1]]",
        "My selection:[[1]]\nMy selection:[[2]]",
        "My selection:[[1],[2]",
        "My selection:[[1],[two]]",
        "My selection:1, 2",
        "",
    ],
)
def test_anything_but_the_form_on_its_own_line_is_unparsable(text: str) -> None:
    assert read_selection(reply(text), 5) == Reading("unparsable")


@pytest.mark.parametrize("text", ["My selection:[]", "My selection:[[]]", "My selection: [ ]."])
def test_empty_selection_is_told_apart_from_an_unparsable_reply(text: str) -> None:
    assert read_selection(reply(text), 5) == Reading("empty")


def test_reply_cut_off_before_its_selection_is_truncated() -> None:
    assert read_selection(reply("My selection:[[1],[2", "length"), 5) == Reading("truncated")


@pytest.mark.parametrize("rest", ["\nThe reason is", "\n\nIt", "\n**T"])
def test_reply_cut_off_after_a_complete_selection_is_read(rest: str) -> None:
    assert read_selection(reply(f"My selection:[[1]]{rest}", "length"), 5) == Reading("ok", (1,))


@pytest.mark.parametrize(
    "text",
    [
        "My selection:[1],[2]",
        "My selection:[]",
        "My selection:[[1],[2]]",
        "My selection:[[1]]\nNo:\nMy selection:[[2],",
        "My selection:[[1]]\n",
        "My selection:[1]\n,",
        "My selection:[[1]]\nMy sel",
        "My selection:[[1]]\n- **My selection :",
        "My selection:[[1]]\n  my selection",
        "<think>\nEasy.</think>My selection:[[1]]",
    ],
)
def test_selection_that_may_have_gone_on_where_it_was_cut_off_is_not_read(text: str) -> None:
    assert read_selection(reply(text, "length"), 5) == Reading("truncated")


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.sampled_from(["My selection:[{}]", "My selection: {}", "my selection:[ {} ].", "**My selection:**\n[{}]"]),
    st.sampled_from([",", ",\n", "\n, "]),
    st.sampled_from(["", "Passage [4] is good.\n", "My selection would be [3].\n"]),
    st.sampled_from(["", "\n", "\nThat was easy.", "\n[9]"]),
)
def test_no_beginning_of_a_reply_reads_as_another_selection(
    numbers: list[int], form: str, comma: str, before: str, after: str
) -> None:
    text = before + form.format(comma.join(f"[{number}]" for number in numbers)) + after
    whole = read_selection(reply(text), 8)
    for cut_off in range(len(text) + 1):
        assert read_selection(reply(text[:cut_off], "length"), 8) in (whole, Reading("truncated"))


def test_ranking_that_was_cut_off_is_truncated() -> None:
    assert read_ranking(reply("[1] > [2", "length"), 3) == Reading("truncated")
    assert read_ranking(reply("[1] > [2]", "length"), 3) == Reading("truncated")


def test_numbers_inside_a_thinking_block_are_no_selection() -> None:
    thought = "<think>\nMy selection:[[1]]\n[1] > [2]\n</think>\n"
    assert read_selection(reply(thought + "My selection:[[2]]"), 3, thinking=True) == Reading("ok", (2,))
    assert read_selection(reply(thought + "None."), 3, thinking=True) == Reading("unparsable")
    assert read_ranking(reply(thought + "[3] > [2] > [1]"), 3, thinking=True) == Reading("ok", (3, 2, 1))


@pytest.mark.parametrize("opening", ["<think>\n", ""])
def test_thought_that_never_ends_is_truncated_and_not_read(opening: str) -> None:
    assert read_selection(reply(f"{opening}My selection:[[1]]", "length"), 3, thinking=True) == Reading("truncated")


def test_thought_is_not_read_even_where_none_was_asked_for() -> None:
    assert read_selection(reply("<think>\nMy selection:[[1]]"), 3) == Reading("unparsable")


THOUGHTS = {
    "most": ("<think>", "</think>"),
    "Mistral": ("[THINK]", "[/THINK]"),
    "Seed": ("<seed:think>", "</seed:think>"),
    "MiniMax": ("<mm:think>", "</mm:think>"),
    "Hunyuan": ("<think:opensource>", "</think:opensource>"),
    "Gemma": ("<|channel>thought", "<channel|>"),
    "Kimi": ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    "Cohere": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "a chat model": ("<thinking>", "</thinking>"),
    "gpt-oss": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
}


@pytest.mark.parametrize("family", THOUGHTS)
@pytest.mark.parametrize("before", ["", "Let me see.\n", "<think>\nfirst\n</think>\n"])
def test_thought_of_any_family_is_not_read_wherever_it_stands_and_however_it_ends(family: str, before: str) -> None:
    start, end = THOUGHTS[family]
    thought = f"{before}{start}\nMy selection:[[1]]\n"
    for finish_reason, outcome in (("stop", "unparsable"), ("length", "truncated")):
        assert read_selection(reply(thought, finish_reason), 3) == Reading(outcome)
        assert read_ranking(reply(thought.replace("My selection:[[1]]", "[2] > [1]"), finish_reason), 3).numbers == ()
    assert after_thinking(thought, thinking=False) is None
    assert read_selection(reply(f"{thought}{end}My selection:[[2]]"), 3) == Reading("ok", (2,))


def test_answer_after_thinking() -> None:
    assert after_thinking("<think>a</think>b</think> c ", thinking=True) == "c"
    assert after_thinking(" plain ", thinking=False) == "plain"
    assert after_thinking("plain", thinking=True) is None


def test_single_passage_is_ranked_by_naming_it_and_several_need_a_comparison() -> None:
    assert read_ranking(reply("[1]"), 1) == Reading("ok", (1,))
    assert read_ranking(reply("[3]"), 5) == Reading("unparsable")


def completed(numbers: tuple[int, ...], n: int) -> list[int]:
    """The authors of the real replies add what a reply leaves out."""
    return [*numbers, *(number for number in range(1, n + 1) if number not in numbers)]


def test_every_real_ranking_reply_reads_as_its_authors_read_it(shared_data: Path) -> None:
    lines = (shared_data / "parsing" / "listwise_parse_cases.jsonl").read_text().splitlines()
    cases = [json.loads(line) for line in lines]
    wrong = [
        case["qid"]
        for case in cases
        if completed(read_ranking(reply(case["response"]), case["num_passages"]).numbers, case["num_passages"])
        != case["expected_order"]
    ]
    assert (len(cases), wrong) == (162, [])


@pytest.mark.parametrize("form", ["**Ranking:** {}", "```\n{}\n```", "1. {}", "{}\nPassage [7] is off topic."])
@pytest.mark.parametrize("separator", [" > ", " >\n", "\n> "])
def test_real_rankings_read_alike_in_every_form(shared_data: Path, form: str, separator: str) -> None:
    lines = (shared_data / "parsing" / "listwise_parse_cases.jsonl").read_text().splitlines()
    for text in (json.loads(line)["response"].strip() for line in lines):
        assert read_ranking(reply(form.format(text.replace(" > ", separator))), 20) == read_ranking(reply(text), 20)


def real_verdicts(shared_data: Path) -> list[dict]:
    files = sorted((shared_data / "llm-relabel-rlhn").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_real_replies_in_another_form_mark_nothing(shared_data: Path) -> None:
    verdicts = real_verdicts(shared_data)
    assert len(verdicts) == 67
    assert {read_selection(reply(row["response"]), 25).outcome for row in verdicts} == {"unparsable"}
    assert {read_ranking(reply(row["response"]), 25).outcome for row in verdicts} == {"unparsable"}


def test_selection_after_a_real_chain_of_thought_is_the_only_thing_read(shared_data: Path) -> None:
    """The real replies reason about "Doc (5)" and "[Doc (2), Doc (5)]" at length before they decide."""
    for row in real_verdicts(shared_data):
        thought = f"<think>\n{row['response']}\n</think>\nMy selection:[[7]]"
        for text in (thought, f"{row['response']}\nMy selection:[[7]]"):
            assert read_selection(reply(text), 25) == Reading("ok", (7,))


@given(st.text(alphabet=st.sampled_from("My selction:[]>0123456789-,. \n</think>"), max_size=80), st.integers(1, 31))
def test_no_reply_marks_a_passage_outside_the_pool_or_twice(text: str, n: int) -> None:
    for reading in (
        read_selection(reply(text), n),
        read_selection(reply("My selection:" + text), n),
        read_ranking(reply(text), n),
    ):
        assert set(reading.numbers) <= set(range(1, n + 1))
        assert len(set(reading.numbers)) == len(reading.numbers)
        assert bool(reading.numbers) == (reading.outcome == "ok")


@given(st.lists(st.integers(-5, 40)), st.integers(1, 31))
def test_selection_is_the_valid_numbers_once_in_order(numbers: list[int], n: int) -> None:
    reading = read_selection(reply(f"My selection:[{','.join(f'[{number}]' for number in numbers)}]"), n)
    assert reading.numbers == tuple(dict.fromkeys(number for number in numbers if 1 <= number <= n))


@given(st.permutations(range(1, 13)), st.integers(2, 12))
def test_ranking_is_what_the_reply_names(order: list[int], listed: int) -> None:
    reading = read_ranking(reply(" > ".join(f"[{number}]" for number in order[:listed])), 12)
    assert reading.numbers == tuple(order[:listed])


@given(st.integers(1, 31), st.data())
def test_every_reply_that_guided_decoding_admits_can_be_read(n: int, data: st.DataObject) -> None:
    for form in (SELECTION, RANKING):
        text = data.draw(st.from_regex(form.guide(n), fullmatch=True))
        assert form.read(reply(text), n).outcome in ("ok", "empty")


@given(st.permutations(range(1, 32)), st.integers(0, 31))
def test_guided_decoding_admits_every_selection_and_every_ranking(order: list[int], count: int) -> None:
    selection = f"My selection:[{','.join(f'[{number}]' for number in order[:count])}]"
    assert re.fullmatch(SELECTION.guide(31), selection)
    assert re.fullmatch(RANKING.guide(31), " > ".join(f"[{number}]" for number in order))
    assert not re.fullmatch(SELECTION.guide(31), "My selection:[[32]]")
    assert not re.fullmatch(SELECTION.guide(31), "My selection:[[0]]")
