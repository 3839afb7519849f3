"""Code digests that an earlier process computed: used as long as no file changed, and computed otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from utility_annotation.common.code_digest import code_digest, forget
from utility_annotation.common.files import read_json, write_json
from utility_annotation.planning.kept_digests import KeptDigests

ONE, OTHER = "def run():\n    return 1\n", "def run():\n    return 2\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    (folder / "library").mkdir(parents=True)
    (folder / "one.py").write_text("from library.part import run\n\n\ndef start():\n    run()\n")
    (folder / "library" / "__init__.py").touch()
    (folder / "library" / "part.py").write_text(ONE)
    return folder


def digest(scripts: Path, kept: Path) -> str:
    """That of a process which starts now."""
    forget()
    return KeptDigests(scripts, kept).of("one.py", "start", ())


def mark(kept: Path) -> None:
    """Replace what is kept, so that its use shows."""
    found = read_json(kept)
    write_json(kept, found | {"digests": dict.fromkeys(found["digests"], "kept")})


def test_a_digest_is_that_of_the_code_and_is_kept(scripts: Path, tmp_path: Path) -> None:
    assert digest(scripts, tmp_path / "kept.json") == code_digest(scripts / "one.py", "start")
    mark(tmp_path / "kept.json")
    assert digest(scripts, tmp_path / "kept.json") == "kept"


def test_the_digest_of_other_entries_is_another(scripts: Path, tmp_path: Path) -> None:
    (scripts / "library" / "part.py").write_text("TABLE = {'a': 1, 'b': 2}\n\n\ndef run():\n    return TABLE\n")
    kept = KeptDigests(scripts, tmp_path / "kept.json")
    found = {kept.of("one.py", "start", (f"library.part:TABLE[{key}]",)) for key in "ab"}
    assert len(found) == 2


@pytest.mark.parametrize("changed", ["library/part.py", "library/new.py", "one.py"])
def test_after_any_file_changed_nothing_kept_is_used(scripts: Path, tmp_path: Path, changed: str) -> None:
    kept = tmp_path / "kept.json"
    digest(scripts, kept)
    mark(kept)
    with (scripts / changed).open("a") as file:
        file.write("\n# A comment.\n")
    assert digest(scripts, kept) == code_digest(scripts / "one.py", "start")
    assert digest(scripts, kept) != "kept"


def test_a_file_that_took_another_name_is_a_change(scripts: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    (scripts / "library" / "other.py").write_text(OTHER)
    before = digest(scripts, kept)
    (scripts / "library" / "part.py").rename(scripts / "library" / "held.py")
    (scripts / "library" / "other.py").rename(scripts / "library" / "part.py")
    (scripts / "library" / "held.py").rename(scripts / "library" / "other.py")
    assert digest(scripts, kept) != before


@pytest.mark.parametrize("damage", ["{", "[]", '{"files": 1}'])
def test_a_damaged_file_is_written_again(scripts: Path, tmp_path: Path, damage: str) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(damage)
    assert digest(scripts, kept) == code_digest(scripts / "one.py", "start")
    assert read_json(kept)["digests"]


def test_where_nothing_can_be_written_digests_are_computed(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert digest(scripts, tmp_path / "file" / "kept.json") == code_digest(scripts / "one.py", "start")
