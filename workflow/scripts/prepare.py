"""Bring models and files of the outside world here: weights, downloads, members of archives."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import waiting
from utility_annotation.io import archives, downloads, hub, models
from utility_annotation.planning import jobs
from utility_annotation.planning.command import Commands, configuration_of
from utility_annotation.settings import HubFiles


def model(arguments: argparse.Namespace) -> None:
    """Bring a model (from an installed package, a local folder or the hub) into one folder of safetensors."""
    settings = jobs.prepare_model(configuration_of(arguments), model=arguments.model)
    with waiting(f"preparing {settings.package or settings.path or settings.hub}"):
        models.prepare(settings, arguments.output)


def download(arguments: argparse.Namespace) -> None:
    """Fetch a publisher's file, or link a copy of it, and check it."""
    downloads.fetch_file(jobs.fetch(configuration_of(arguments), download=arguments.download), arguments.output)


def files(arguments: argparse.Namespace) -> None:
    """Fetch a file, a folder or the files of a pattern of a data set on the hub."""
    with waiting(f"fetching {arguments.address}"):
        hub.fetch_files(HubFiles.parse(arguments.address), arguments.output)


def member(arguments: argparse.Namespace) -> None:
    """Unpack one member of a tar archive."""
    archives.unpack(arguments.archive, arguments.member, arguments.output)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    parser = commands.add(model, "model")
    parser.add_argument("--model", required=True, help="a name from `models`")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser = commands.add(download, "download")
    parser.add_argument("--download", required=True, help="a name from `downloads`")
    parser.add_argument("--output", type=Path, required=True, help="where to put the file")
    parser = commands.add(files, "files")
    parser.add_argument("--address", required=True, help="hub:OWNER/NAME[@REVISION][/PATH]")
    parser.add_argument("--output", type=Path, required=True, help="the file or folder to write")
    parser = commands.add(member, "member")
    parser.add_argument("--archive", required=True, type=Path, help="tar archive, compressed or not")
    parser.add_argument("--member", required=True, help="name of a regular file in it")
    parser.add_argument("--output", type=Path, required=True, help="where to write it")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
