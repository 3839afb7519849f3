"""What documents repeat."""

from __future__ import annotations

import tracemalloc

from utility_annotation.documents.blocks import Block
from utility_annotation.documents.repeated import Boilerplate, document_digest

_FOOTER = Block("Copyright of the authors of this manual")


def _boilerplate(documents: list[list[Block]]) -> Boilerplate:
    found = Boilerplate()
    for blocks in documents:
        found.add(blocks)
    found.close()
    return found


def test_what_stands_in_many_documents_stays_in_the_first_alone() -> None:
    documents = [[Block(f"The text of document {number}"), _FOOTER] for number in range(6)]
    boilerplate = _boilerplate(documents)
    assert boilerplate.without(documents[0]) == (documents[0], [])
    assert boilerplate.without(documents[1]) == (documents[1][:1], [_FOOTER.text])


def test_what_stands_in_few_documents_or_often_in_one_stays() -> None:
    documents = [[_FOOTER] * 9, *([Block(f"Text of {number}")] for number in range(6)), [_FOOTER]]
    boilerplate = _boilerplate(documents)
    assert [boilerplate.without(blocks)[0] for blocks in documents] == documents


def test_what_stands_in_a_small_share_of_many_documents_stays() -> None:
    documents = [[_FOOTER]] * 6 + [[Block(f"Text number {number} of many")] for number in range(200)]
    boilerplate = _boilerplate(documents)
    assert [boilerplate.without(blocks)[1] for blocks in documents[:2]] == [[], []]


def test_a_document_costs_few_bytes_beside_its_blocks() -> None:
    found = Boilerplate()
    tracemalloc.start()
    for number in range(20_000):
        found.add([Block(f"The whole text of document {number}")])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000 * 20


def test_a_short_block_stays() -> None:
    documents = [[Block("Example:"), Block(f"Text {number}")] for number in range(9)]
    boilerplate = _boilerplate(documents)
    assert boilerplate.without(documents[3])[0] == documents[3]


def test_no_document_is_no_fault() -> None:
    assert _boilerplate([]).without([_FOOTER]) == ([_FOOTER], [])


def test_copies_have_one_digest_whatever_their_blocks_and_blanks() -> None:
    one = document_digest("Title", [Block("some text"), Block("more")])
    assert one == document_digest("Title", [Block("some  text more", ("Heading",), 3)])
    assert one != document_digest("Title", [Block("some text"), Block("most")])
    assert one != document_digest("Other", [Block("some text"), Block("more")])
