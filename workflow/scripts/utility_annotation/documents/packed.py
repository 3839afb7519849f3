"""DOCX and EPUB: documents that are zip files of XML."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import mammoth
from lxml import etree

from .blocks import LARGEST, Block, Document, Unreadable, one_line
from .markup import blocks_of_html
from .plain import decoded

_OLE = b"\xd0\xcf\x11\xe0"
"""How Word's files begin that are encrypted, or of its format before 2007."""
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
"""The encoding that XML declares."""
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STYLES = "word/styles.xml"
_STANDARD = re.compile(r"heading ([1-9])", re.I)
_ESCAPED = re.compile(r"^\d|[^\w-]|[^\x00-\x7f]")
"""Characters of a style's id that Mammoth's rules must escape."""
_BODY_TEXT = 9
"""The level of what is no heading."""
_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"


def read_docx(data: bytes) -> Document:
    """A document of Word.

    Raises:
        Unreadable: it is encrypted, of another format, or broken.
    """
    if data.startswith(_OLE):
        raise Unreadable("it is encrypted, or of Word's format before 2007; save it as .docx without a password")
    with _opened(data) as package:
        title = _text_of(_xml(package, "docProps/core.xml"), "title") if _has(package, "docProps/core.xml") else ""
        styles = "\n".join(_heading_styles(_xml(package, _STYLES))) if _has(package, _STYLES) else ""
    try:
        html = mammoth.convert_to_html(
            io.BytesIO(data), style_map=styles, convert_image=mammoth.images.img_element(lambda _: {})
        ).value
    except (KeyError, OSError, ValueError, AttributeError, zipfile.BadZipFile, etree.XMLSyntaxError) as error:
        raise Unreadable(f"it is no document of Word, or broken ({type(error).__name__}: {error})") from None
    return Document(title, blocks_of_html(html))


def _heading_styles(styles: etree._Element) -> Iterator[str]:
    """Mammoth's rule for each style that makes headings: by its level in Word's outline, or by what it is based on.

    Mammoth itself knows styles named Heading 1 to 6 alone, and neither a template's own nor LibreOffice's in German.
    """
    known = {style.get(_W + "styleId"): style for style in styles.iterfind(f'{_W}style[@{_W}type="paragraph"]')}
    for name, style in known.items():
        level, passed = _outline_level(style), {name}
        while level is None and (based := style.find(_W + "basedOn")) is not None:
            place = based.get(_W + "val")
            if place in passed or place not in known:
                break
            passed.add(place)
            style = known[place]
            level = _outline_level(style)
        if level is not None and level < _BODY_TEXT and name and name.isprintable():
            escaped = _ESCAPED.sub(r"\\\g<0>", name)
            yield f"p.{escaped} => h{min(level, 5) + 1}:fresh"


def _outline_level(style: etree._Element) -> int | None:
    """A style's level in the outline, from 0, or that of its standard name; None if it has neither."""
    place, name = style.find(f"{_W}pPr/{_W}outlineLvl"), style.find(_W + "name")
    found = _STANDARD.fullmatch("" if name is None else name.get(_W + "val", ""))
    value = place.get(_W + "val", "") if place is not None else str(int(found[1]) - 1) if found else ""
    return int(value) if value.isdecimal() else None


def read_epub(data: bytes) -> Document:
    """An e-book: its chapters in reading order.

    Raises:
        Unreadable: it is encrypted or broken.
    """
    with _opened(data) as book:
        place = _xml(book, _CONTAINER).find(".//{*}rootfile")
        if place is None:
            raise Unreadable("it is no EPUB: it names no content")
        file = place.get("full-path", "")
        package = _xml(book, file)
        files = {
            item.get("id"): posixpath.normpath(posixpath.join(posixpath.dirname(file), unquote(item.get("href", ""))))
            for item in package.iterfind(".//{*}manifest/{*}item")
            if "nav" not in item.get("properties", "").split()
        }
        order = [files[each.get("idref")] for each in package.iterfind(".//{*}itemref") if each.get("idref") in files]
        if locked := _locked(book) & set(order):
            raise Unreadable(f"it is encrypted ({len(locked)} of {len(order)} chapters)")
        lost = [name for name in order if not _has(book, name)]
        blocks: list[Block] = []
        for name in order:
            if name not in lost:
                blocks += blocks_of_html(_xhtml(_read(book, name)))
        note = f"{len(lost)} of {len(order)} chapters are not in it" if lost else ""
        return Document(_text_of(package, "title"), blocks, note=note)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError) as error:
        raise Unreadable(f"it is broken ({error})") from None
    if sum(member.file_size for member in archive.infolist() if member.filename.endswith(_TEXTS)) > LARGEST:
        raise Unreadable(f"its texts unpack to more than {LARGEST >> 20} MiB")
    return archive


_TEXTS = (".xml", ".html", ".xhtml", ".htm", ".opf", ".rels", ".ncx")


def _has(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.NameToInfo


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        with archive.open(name) as member:
            found = member.read(LARGEST + 1)
    except (KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise Unreadable(f"it is broken ({name}: {error})") from None
    if len(found) > LARGEST:
        raise Unreadable(f"{name} in it unpacks to more than {LARGEST >> 20} MiB")
    return found


def _xml(archive: zipfile.ZipFile, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(_read(archive, name), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"it is broken ({name}: {error})") from None


def _xhtml(data: bytes) -> str:
    """A chapter as text. It is XML, and so UTF-8 unless it says otherwise; a parser of HTML takes it for Latin-1."""
    declared = _ENCODING.match(data)
    with suppress(LookupError, UnicodeError):
        if declared:
            return data.decode(declared[1].decode())
    return decoded(data)


def _text_of(tree: etree._Element, name: str) -> str:
    return one_line(tree.findtext(f".//{{*}}{name}") or "")


def _locked(book: zipfile.ZipFile) -> set[str]:
    """The files of a book that are encrypted."""
    if not _has(book, _ENCRYPTION):
        return set()
    return {unquote(each.get("URI", "")) for each in _xml(book, _ENCRYPTION).iterfind(".//{*}CipherReference")}
