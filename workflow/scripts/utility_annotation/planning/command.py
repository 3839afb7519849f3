"""What the command lines of all jobs share: ``--config FILE``, and a command per kind of work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..common.progress import log_to_stderr
from ..settings import Configuration
from .loading import read_resolved


class Commands:
    """The command line of a script.

    Args:
        description: what the script does; the first paragraph of its docstring.
    """

    def __init__(self, description: str | None) -> None:
        self._parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )
        self._commands: argparse._SubParsersAction[argparse.ArgumentParser] | None = None

    def add(self, run: Callable[[argparse.Namespace], None], name: str | None = None) -> argparse.ArgumentParser:
        """Add a command, with the first line of its function's docstring as help; without a name the only one.

        Returns:
            The parser to which its options are added; it has ``--config`` already.
        """
        if name is None:
            parser = self._parser
        else:
            if self._commands is None:
                self._commands = self._parser.add_subparsers(required=True, metavar="COMMAND")
            words = (run.__doc__ or "").strip().splitlines()[0]
            parser = self._commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        parser.set_defaults(_command=run)
        parser.add_argument(
            "--config",
            type=Path,
            required=True,
            metavar="FILE",
            help="the whole configuration (YAML): results/configurations/DIGEST.yaml, or one of yours",
        )
        return parser

    def run(self, argv: list[str] | None) -> None:
        """Read the command line and do what it says."""
        arguments = self._parser.parse_args(argv)
        log_to_stderr()
        arguments._command(arguments)


def configuration_of(arguments: argparse.Namespace) -> Configuration:
    """The configuration that a command line names."""
    return read_resolved(arguments.config)
