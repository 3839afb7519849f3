"""Reading a configuration: its keys and values, and whether its names lead somewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from ..common.errors import InputError
from ..common.files import write_text
from ..settings import ON_TOP, Configuration, Settings, canonical, reranking, training
from ..settings.base import RENAMED, member_section, nearest


def load(raw: Mapping[str, Any], *, path: str = "the configuration") -> Configuration:
    """Check a raw configuration (as read from YAML) and return it typed.

    Args:
        raw: the mapping.
        path: the file named in messages.

    Raises:
        InputError: an unknown key (with the nearest known one), a wrong value, or a name that refers to nothing.
    """
    configuration = _typed(raw, path)
    return _checked(configuration, path)


def _typed(raw: Mapping[str, Any], path: str) -> Configuration:
    try:
        configuration = Configuration.model_validate(raw)
    except ValidationError as error:
        raise _wrong([_explain(problem) for problem in error.errors()], path) from None
    try:
        trainings = training.of_each_seed(configuration.trainings)
        reranked, selected, _ = reranking.of_each_seed(configuration.reranked, configuration.selected, trainings)
    except ValueError as error:
        raise _wrong([str(error)], path) from None
    update = {"trainings": trainings, "reranked": reranked, "selected": selected}
    return configuration.model_copy(update=update)


def _checked(configuration: Configuration, path: str) -> Configuration:
    from .references import problems  # here, so that jobs need no table of which they use no entry

    of_seeds = {
        f"trainings.{each}{end}"
        for name, training in configuration.trainings.items()
        for each in training.names(name).values()
        if each != name  # the message names the training itself
        for end in ".:"
    }
    *_, seeds = reranking.of_each_seed(configuration.reranked, configuration.selected, configuration.trainings)
    of_seeds |= {
        f"{section}.{each}{end}"
        for name, names in seeds.items()
        for each in names.values()
        if each != name
        for section in ON_TOP
        for end in ".:"
    }
    if found := [problem for problem in problems(configuration) if not problem.startswith(tuple(of_seeds))]:
        raise _wrong(found, path)
    return configuration


def _wrong(found: list[str], path: str) -> InputError:
    return InputError(
        "; ".join(found) + ".", hint="correct the keys named above; config/README.md lists every key.", path=path
    )


def resolved_name(configuration: Configuration) -> str:
    """Path of the file that holds a whole configuration: it is named by the digest of its content."""
    digest = hashlib.sha256(canonical(configuration).encode()).hexdigest()[:16]
    return f"results/configurations/{digest}.yaml"


def write_resolved(configuration: Configuration) -> Path:
    """Write a whole configuration, every default included, below the working folder, unless it is there."""
    path = Path(resolved_name(configuration))
    if not path.is_file():
        whole = configuration.model_dump(mode="json")
        write_text(path, yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))
    return path


def read_resolved(path: Path) -> Configuration:
    """Read a file of :func:`write_resolved`, or one that a user wrote or edited.

    A file that is still named by the digest of its content was checked before it was written; the names in any other
    are checked here.

    Raises:
        InputError: it is not there, is no YAML, or is not a valid configuration.
    """
    try:
        raw = yaml.load(path.read_text("utf-8"), Loader=_Loader)
    except OSError as error:
        raise InputError(
            f"the configuration cannot be read ({error.strerror}).",
            hint="run Snakemake, which writes it before the first job, or give another file to --config.",
            path=path,
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"this is no YAML: {error}.", hint="correct it.", path=path) from None
    if not isinstance(raw, Mapping):
        raise InputError("this is no mapping of sections.", hint="give a configuration.", path=path)
    configuration = _typed(raw, str(path))
    written = path.name == Path(resolved_name(configuration)).name
    return configuration if written else _checked(configuration, str(path))


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *parents, key = problem["loc"]
        known = _fields_at(parents)
        if RENAMED.get(str(key)) in known:
            return f"{place}: `{key}` is now `{RENAMED[str(key)]}`"
        return f"unknown key {place}{nearest(str(key), known)}"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float | date):
        *section, _, last = problem["loc"]
        where, what = (".".join(map(str, section)), "a name here") if last == "[key]" else (place, "this")
        return (
            f"{where}: YAML reads {what} as {problem['input']} and not as text; put it in quotes, as in 'no' or '1.1'"
        )
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _fields_at(parents: list[str | int]) -> list[str]:
    """The field names of the section to which a path of keys leads."""
    section: type[Settings] | None = Configuration
    keys = iter(parents)
    for key in keys:
        if section is None:
            break
        if isinstance(key, int):  # a place in a list, whose section is known already
            continue
        annotation = section.model_fields[str(key)].annotation
        if get_origin(annotation) is dict:
            next(keys, None)  # the name that the user gave
        section = member_section(annotation)
    return list(section.model_fields) if section is not None else []
