"""Small documents in the formats that are read, made by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(pages: Sequence[Sequence[str]], title: str = "", outline: Sequence[tuple[int, str]] = ()) -> bytes:
    """A PDF with the given lines on each page; ``outline`` has (page from 1, title)."""
    objects: list[bytes] = []

    def add(content: str) -> int:
        objects.append(content.encode("latin-1"))
        return len(objects)

    font = add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    tree = len(objects) + 2 * len(pages) + 1
    numbers = []
    for lines in pages:
        shown = "".join(f"({_escaped(line)}) Tj 0 -14 Td\n" for line in lines)
        stream = f"BT /F1 12 Tf 72 760 Td\n{shown}ET"
        content = add(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        numbers.append(
            add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] /Contents {content} 0 R"
                f" /Resources << /Font << /F1 {font} 0 R >> >> >>"
            )
        )
    kids = " ".join(f"{number} 0 R" for number in numbers)
    assert add(f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} >>") == tree
    root, first = len(objects) + 1, len(objects) + 2
    last = first + len(outline) - 1
    for place, (page, heading) in enumerate(outline, first):
        near = (f" /Next {place + 1} 0 R" if place < last else "") + (
            f" /Prev {place - 1} 0 R" if place > first else ""
        )
        entry = f"<< /Title ({_escaped(heading)}) /Parent {root} 0 R /Dest [{numbers[page - 1]} 0 R /Fit]{near} >>"
        if place == first:
            add(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(outline)} >>")
        add(entry)
    outlines = f" /Outlines {root} 0 R" if outline else ""
    catalog = add(f"<< /Type /Catalog /Pages {tree} 0 R{outlines} >>")
    info = add(f"<< /Title ({_escaped(title)}) >>")
    whole, places = io.BytesIO(), []
    whole.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        places.append(whole.tell())
        whole.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = whole.tell()
    whole.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    whole.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root {catalog} 0 R /Info {info} 0 R >>\nstartxref\n{start}\n%%EOF"
    return whole.getvalue() + trailer.encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def docx(paragraphs: Sequence[tuple[str, str]], title: str = "") -> bytes:
    """A document of Word; each paragraph is (style, text), with a style such as ``Heading 1`` or nothing."""

    def paragraph(style: str, text: str) -> str:
        named = f'<w:pPr><w:pStyle w:val="{style.replace(" ", "")}"/></w:pPr>' if style else ""
        return f"<w:p>{named}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"

    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{style.replace(" ", "")}"><w:name w:val="{style}"/></w:style>'
        for style in {style for style, _ in paragraphs if style}
    )
    body = "".join(paragraph(*each) for each in paragraphs)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}'
            '/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r2" '
            f'Type="{office}/styles" Target="styles.xml"/></Relationships>',
            "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
            "docProps/core.xml": '<cp:coreProperties xmlns:cp="urn:core" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{escape(title)}</dc:title></cp:coreProperties>",
        }
    )


def epub(chapters: Mapping[str, str], title: str = "", order: Sequence[str] | None = None, locked: str = "") -> bytes:
    """An e-book; ``chapters`` has XHTML bodies by name, read in ``order``; ``locked`` is one that is encrypted."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>' for name in (order or chapters)
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in (order or chapters))
    files = {
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>',
        "OEBPS/content.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
        **{f"OEBPS/{name}.xhtml": f"<html><body>{body}</body></html>" for name, body in chapters.items()},
    }
    if locked:
        files["META-INF/encryption.xml"] = (
            '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>'
            f'<enc:CipherReference URI="OEBPS/{locked}.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>'
        )
    return packed(files)


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A zip file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return whole.getvalue()


def replaced(archive: bytes, name: str, content: bytes) -> bytes:
    """A zip file with another content of one of its members."""
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return packed({member: found.read(member) for member in found.namelist()} | {name: content})
