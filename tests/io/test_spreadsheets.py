"""Text in CSV files that people open in a spreadsheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.io.spreadsheets import as_cell


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1"])
def test_a_text_that_begins_as_a_formula_has_an_apostrophe(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a.md", "", "-12", "+0.5", "what is 1 = 1?", "'quoted'", -0.5, 3, None])
def test_any_other_value_stays_as_it_is(value: object) -> None:
    assert as_cell(value) == value


@given(st.text())
def test_no_cell_begins_with_a_sign_unless_it_is_a_number(text: str) -> None:
    cell = as_cell(text)
    assert cell in (text, f"'{text}")
    if cell[:1] in tuple("=+-@"):
        float(cell)
