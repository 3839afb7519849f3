"""Passages of a document: by its sections first, then by tokens."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, groupby, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common.errors import InputError
from ..io.schemas import passage_text
from .blocks import Block

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

_SHORT = 0.25
"""A section shorter than this share of a passage joins the next one, if both fit."""
_BALANCED = 1.5
"""A rest of at most so many passages is divided about evenly, so that no small one is left over."""
_FILLED = 0.5
"""A passage ends at the best boundary after this share of it."""
_TITLE = 1 / 3
"""Most of a passage that its title takes."""
_SEPARATOR = " › "
_WIDE = 32
"""Characters of a token that count as one. A tokenizer may make one unknown token of a line of Thai or of base64."""
_BLANKS = " \n\t"
_LONGEST = 1 << 20
"""Characters of a section. What is longer is read in parts, as a token takes some 700 bytes meanwhile."""

_BOUNDARIES = (
    re.compile(r"\n"),
    re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？｡．؟۔।]+[\"'”’」』）]*\s*"),
    re.compile(r"[,;:]\s+|[、，；：،؛]\s*"),
    re.compile(r"\s+"),
)
"""Where a passage may end, the best first: after a block, a sentence, a clause, a word."""


class Passage(NamedTuple):
    """A passage.

    Attributes:
        title: the document's title and the headings, from the highest on; cut where they are too long.
        text: its text.
        headings: all headings that it stands below.
        page: the page on which it begins; None in formats without pages.
    """

    title: str
    text: str
    headings: tuple[str, ...]
    page: int | None


class Section(NamedTuple):
    """What stands below the same headings.

    Attributes:
        headings: the headings.
        text: the blocks, a line each; listings have several.
        starts: where in the text each block begins.
        pages: the page of each block.
    """

    headings: tuple[str, ...]
    text: str
    starts: list[int]
    pages: list[int | None]

    @classmethod
    def of(cls, headings: tuple[str, ...], blocks: Sequence[Block]) -> Section:
        """A section of some blocks."""
        starts, at = [], 0
        for block in blocks:
            starts.append(at)
            at += len(block.text) + 1
        return cls(headings, "\n".join(block.text for block in blocks), starts, [block.page for block in blocks])

    def joined(self, other: Section) -> Section:
        """Both as one: below the headings that they share, each with its own headings as lines of its text."""
        pairs = zip(self.headings, other.headings, strict=False)
        shared = tuple(own for own, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        blocks = [*self._blocks(len(shared)), *other._blocks(len(shared))]
        return Section.of(shared, blocks)

    def _blocks(self, shared: int) -> Iterator[Block]:
        own = [Block(heading, page=self.pages[0]) for heading in self.headings[shared:]]
        ends = [*(start - 1 for start in self.starts[1:]), len(self.text)]
        rest = zip(self.starts, ends, self.pages, strict=True)
        yield from (*own, *(Block(self.text[start:end], page=page) for start, end, page in rest))

    def page(self, at: int) -> int | None:
        """The page of a place in the text."""
        return self.pages[bisect_right(self.starts, at) - 1]


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder."""
    from transformers import AutoTokenizer  # here, as it takes seconds, and processes that divide need no more of it

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    return tokenizer


class Splitter:
    """Divides documents into passages.

    Args:
        tokenizer: whose tokens are counted; it must know where in the text a token is.
        length: most tokens of a passage, with its title and the special tokens that the tokenizer adds.
        overlap: about so many tokens of whole sentences begin the next passage of the same section again.
        titles: whether passages have titles.

    Raises:
        InputError: the tokenizer does not know where in the text a token is.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, length: int, overlap: int, *, titles: bool = True) -> None:
        if not tokenizer.is_fast:
            raise InputError(
                "this tokenizer does not tell where in a text a token is.",
                hint="name a model with a tokenizer.json as the `tokenizer` of the documents.",
                path=str(tokenizer.name_or_path),
            )
        self._overlap, self._titles = overlap, titles
        self._length = length - tokenizer.num_special_tokens_to_add()
        self._tokenizer = tokenizer.backend_tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._word_by_word = _reads_word_by_word(self._tokenizer)
        self._divides_special = self._tokenizer.encode_special_tokens = bool(tokenizer.split_special_tokens)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy for another process."""
        self.__dict__.update(state)
        self._tokenizer.encode_special_tokens = self._divides_special  # which a copy of a tokenizer forgets

    def passages(self, title: str, blocks: Sequence[Block]) -> Iterator[Passage]:
        """The passages of a document, in order."""
        for section, encoded in self._merged(sections(blocks)):
            heading, tokens = self._heading(title, section.headings) if self._titles else ("", 0)
            for start, end in self._cuts(section.text, _places(encoded), heading, tokens):
                text = section.text[start:end]
                begins = start + len(text) - len(text.lstrip())
                if any(map(str.isalnum, text)):
                    yield Passage(heading, text.strip(), section.headings, section.page(begins))

    def _heading(self, title: str, headings: Sequence[str]) -> tuple[str, int]:
        """The title of a passage, and its tokens: the document's title and the headings that do not repeat it, within
        their share."""
        known = title.casefold()
        parts = [title] * bool(title) + [heading for heading in headings if not _says(known, heading.casefold())]
        most = int(self._length * _TITLE)
        while len(parts) > 2 and self._tokens(_SEPARATOR.join(parts)) > most:
            del parts[1]  # the document and the lowest heading say most
        whole = _SEPARATOR.join(parts)
        encoded = self._encoded(whole)
        places = _places(encoded)
        if len(places) <= most:
            return whole, len(encoded)
        cut = whole[: places[most - 1][1]].strip()
        return cut, self._tokens(cut)

    def _merged(self, found: Iterator[Section]) -> Iterator[tuple[Section, Encoding]]:
        """The sections with their tokens; short ones with what follows them."""
        last: Section | None = None
        encoded: Encoding | None = None
        for section in found:
            if last is not None:
                encoded = self._encoded(last.text) if encoded is None else encoded
                if len(encoded) < _SHORT * self._length:
                    both = last.joined(section)
                    of_both = self._encoded(both.text)
                    if len(of_both) <= self._length * (1 - _TITLE):
                        last, encoded = both, of_both
                        continue
                yield last, encoded
            last, encoded = section, None
        if last is not None:
            yield last, self._encoded(last.text) if encoded is None else encoded

    def _cuts(
        self, text: str, places: Sequence[tuple[int, int]], heading: str, of_heading: int
    ) -> Iterator[tuple[int, int]]:
        """(start, end) of each passage in a section's text; ``places`` are those of the text's tokens."""
        starts, ends = [start for start, _ in places], [end for _, end in places]
        most = self._length - of_heading

        @cache
        def boundaries() -> list[list[int]]:  # which a section that is one passage does not need
            return [[match.end() for match in pattern.finditer(text)] for pattern in _BOUNDARIES]

        def cut(size: int) -> int:
            last = first + size - 1
            if last + 1 >= len(places):
                return len(text)
            return _best(boundaries(), starts[first + int(size * _FILLED)], ends[last])

        first = 0
        while first < len(places):
            left = len(places) - first
            size = most if left <= most or left > _BALANCED * most else round(_BALANCED * left / (_BALANCED + 1))
            while size > 1 and (excess := self._excess(heading, text, starts[first], cut(size))) > 0:
                size = max(1, min(size, left) - excess)  # tokens of a part of a text can be more than in the whole
            end = cut(size)
            yield starts[first], end
            if end >= len(text):
                return
            after = bisect_left(starts, end)
            again = _first(boundaries()[:2], starts[max(first + 1, after - self._overlap)], end)
            first = max(first + 1, bisect_left(starts, again) if self._overlap and again is not None else after)

    def _excess(self, heading: str, text: str, start: int, end: int) -> int:
        """How many tokens a passage has too many; its title and its part of the text were counted one by one."""
        if self._word_by_word and _is_of_whole_words(text, start, end):
            return 0
        return self._tokens(passage_text(heading, text[start:end].strip())) - self._length

    def _encoded(self, text: str) -> Encoding:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _tokens(self, text: str) -> int:
        """The number of tokens, which is faster to know than their places."""
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])


def _reads_word_by_word(tokenizer: Tokenizer) -> bool:
    """Whether the tokens of a text are those of its words, as BERT has it: whole words have as many in any text."""
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    return isinstance(tokenizer.normalizer, BertNormalizer) and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)


def _is_of_whole_words(text: str, start: int, end: int) -> bool:
    """Whether there is a blank, or nothing, before a part of a text, and also at its end."""
    begins = start == 0 or text[start - 1] in _BLANKS
    return begins and (end == len(text) or text[end - 1] in _BLANKS or text[end] in _BLANKS)


def _places(encoded: Encoding) -> list[tuple[int, int]]:
    """(start, end) of each token in its text; a long one counts as several."""
    places = encoded.offsets
    if all(0 < end - start <= _WIDE for start, end in places):
        return places
    return [(at, min(at + _WIDE, end)) for start, end in places for at in range(start, end, _WIDE)]


def sections(blocks: Iterable[Block]) -> Iterator[Section]:
    """Runs of blocks below the same headings; those that have no letter are left out."""
    for headings, run in groupby(chain.from_iterable(map(_parts, blocks)), key=lambda block: block.headings):
        for part in _within(run):
            section = Section.of(headings, part)
            if any(map(str.isalnum, section.text)):
                yield section


def _within(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks in groups that are no longer than a section may be."""
    group, characters = list[Block](), 0
    for block in blocks:
        if group and characters + len(block.text) > _LONGEST:
            yield group
            group, characters = [], 0
        group.append(block)
        characters += len(block.text) + 1
    yield group


def _parts(block: Block) -> Iterator[Block]:
    """A block, or parts of one that is longer than a section may be: after a line or a word, if there is one."""
    text, start = block.text, 0
    while len(text) - start > _LONGEST:
        near = (start + _LONGEST // 2, start + _LONGEST)
        at = max(text.rfind("\n", *near), text.rfind(" ", *near))
        end = near[1] if at < 0 else at + 1
        yield block._replace(text=text[start:end].rstrip())
        start = end
    yield block._replace(text=text[start:])


def _says(title: str, heading: str) -> bool:
    """Whether a title has a heading's words in it."""
    return heading in title and re.search(rf"(?<!\w){re.escape(heading)}(?!\w)", title) is not None


def _best(boundaries: Sequence[Sequence[int]], least: int, most: int) -> int:
    """The last boundary of the best kind between two places; the later place if there is none."""
    for places in boundaries:
        at = bisect_right(places, most) - 1
        if at >= 0 and places[at] > least:
            return places[at]
    return most


def _first(boundaries: Sequence[Sequence[int]], least: int, most: int) -> int | None:
    """The first boundary between two places; None if there is none."""
    found = [places[at] for places in boundaries if (at := bisect_left(places, least)) < len(places)]
    return min((place for place in found if place < most), default=None)
