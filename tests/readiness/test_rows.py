"""The table that a check prints."""

from __future__ import annotations

from utility_annotation.readiness.rows import Row, table


def lines(*rows: Row, width: int = 60) -> list[str]:
    return table(rows, width).splitlines()


def test_columns_are_aligned_and_a_fix_stands_below_its_row() -> None:
    ready = Row("plan", "", "ready", "3 jobs")
    failed = Row("model", "llm", "not ready", "it has no config.json", "correct it.")
    assert lines(ready, failed) == [
        "plan       ready          3 jobs",
        "model llm  not ready      it has no config.json",
        "    Fix: correct it.",
        "",
        "1 of 2 rows is not ready.",
    ]


def test_rows_that_say_the_same_are_one_with_their_names_where_they_are_few() -> None:
    few = [Row("model", name, "ready", "in the cache") for name in "ab"]
    many = [Row("download", str(number), "ready", "there") for number in range(5)]
    joined = lines(*many, *few)
    assert joined[0] == "5 downloads  ready          there"
    assert joined[1] == "2 models     ready          in the cache: a, b"


def test_the_last_line_says_how_many_are_not_ready_or_that_some_were_not_looked_at() -> None:
    ready, unseen, failed = (Row("k", state, state, state) for state in ("ready", "not looked at", "not ready"))
    assert lines(ready)[-1] == "All is ready."
    assert lines(ready, unseen)[-1] == "All that was looked at is ready."
    assert lines(ready, unseen, failed, Row("other", "", "not ready", ""))[-1] == "2 of 4 rows are not ready."


def test_no_line_is_wider_than_the_terminal() -> None:
    row = Row("interpreter", "of vLLM", "not ready", "word " * 40, "do " * 60)
    assert max(map(len, lines(row, width=80))) <= 80
