"""What a run will take, before it starts, and beside what it took, afterwards. Reads only, and needs no GPU.

python workflow/scripts/audit.py plan --gpus 8 paper --configfile config/paper.yaml
python workflow/scripts/audit.py actual

`plan` makes Snakemake's own dry run, with the targets and options that it does not know itself, and writes
results/audit/plan.md and plan.json, unless nothing is to be done; `actual` compares that plan with the records that the
jobs have left since, and writes actual.md and actual.json beside it.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from utility_annotation.audit import actual
from utility_annotation.audit.page import page
from utility_annotation.audit.plan import Audit, size_on_disk
from utility_annotation.audit.rates import GPU, Rates, own_rates
from utility_annotation.audit.sizes import Sizes
from utility_annotation.audit.tables import RateTable, read_sizes, read_table
from utility_annotation.audit.workload import Workloads
from utility_annotation.common.errors import InputError, run_script
from utility_annotation.common.files import write_json, write_text
from utility_annotation.common.progress import LOG, log_to_stderr, waiting
from utility_annotation.engines.store_admin import summarise
from utility_annotation.planning import annotation

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
TABLES = RESOURCES / "audit"
PLAN = Path("results/audit/plan")


def plan(arguments: argparse.Namespace, snakemake: Sequence[str]) -> None:
    """Audit what `snakemake` would run with these targets and options."""
    from utility_annotation.running.dry_run import dry_run  # loads Snakemake, for which `actual` has no use

    made = time.time()
    *given, shipped = (read_table(RateTable, path) for path in (*arguments.rates, TABLES / "rates.yaml"))
    published = read_sizes([*arguments.sizes, TABLES / "sizes.yaml"])
    known = Rates([*given, shipped], arguments.gpu).gpus()
    if arguments.gpu not in known:
        raise InputError(
            f"no rate is known for a GPU named {arguments.gpu}.",
            hint=f"name one of {', '.join(known)} with --gpu, or give rates of yours with --rates.",
        )
    with waiting("planning"):
        configuration, jobs = dry_run(snakemake)
    rates = Rates([*given, own_rates(configuration, arguments.gpu), shipped], arguments.gpu)
    with waiting("counting what the jobs have to do"):
        sizes = Sizes(configuration, published)
        workloads = Workloads(configuration, sizes, rates, RESOURCES)
        estimates = tuple(map(workloads.estimate, jobs))
        stores = {name: Path(annotation.store(configuration, annotator=name)) for name in configuration.annotators}
        audit = Audit(
            made=made,
            arguments=tuple(snakemake),
            gpu=arguments.gpu,
            gpus=arguments.gpus,
            cores=arguments.cores,
            usd_a_gpu_hour=configuration.cost.gpu_hour_usd,
            on_disk=sum(map(size_on_disk, map(Path, ("raw", "data", "results")))) - size_on_disk(PLAN.parent),
            stored={name: summarise(store).keys for name, store in stores.items() if store.is_dir()},
            rates=tuple(rates.used.values()),
            assumed=tuple(sizes.assumed),
            jobs=estimates,
        )
    # an audit after the run must not take the place of the one before it
    _tell(page(audit), audit.model_dump(mode="json"), arguments.output if jobs else None)


def compare(arguments: argparse.Namespace) -> None:
    """Compare a kept audit with what its jobs took since."""
    path = _beside(arguments.plan, ".json")
    try:
        audit = Audit.model_validate_json(path.read_bytes())
    except OSError:
        raise InputError(
            "there is no audit of a plan.", hint="make one before the run: `audit.py plan` or `make audit`.", path=path
        ) from None
    except ValidationError:
        raise InputError(
            "this is no audit of a plan, or one of another version.", hint="make it again before a run.", path=path
        ) from None
    stages = actual.compare(audit)
    _tell(actual.page(stages, audit.usd_a_gpu_hour), stages, arguments.output)


def _tell(text: str, record: Any, output: Path | None) -> None:
    """Print a page, and keep it and its record where there is an output."""
    print(text)
    if output is not None:
        write_text(_beside(output, ".md"), text)
        write_json(_beside(output, ".json"), record)


def _beside(path: Path, suffix: str) -> Path:
    """The path with an ending, whatever dots it has."""
    return path.with_name(path.name + suffix)


def count(text: str) -> int:
    """A number of at least 1; raises ValueError."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    planning = commands.add_parser(
        "plan",
        help="before a run",
        description="What a run will take. Every other argument is Snakemake's: targets, --configfile, --config, …",
        allow_abbrev=False,
    )
    cores = os.cpu_count() or 1
    planning.add_argument("--gpus", type=count, default=8, help="GPUs there are (8)")
    planning.add_argument("--gpu", default=GPU, help=f"their name in the tables of rates ({GPU})")
    planning.add_argument("--cores", type=count, default=cores, help=f"CPU cores there are ({cores})")
    planning.add_argument("--rates", type=Path, action="append", default=[], metavar="FILE", help="rates of yours")
    planning.add_argument("--sizes", type=Path, action="append", default=[], metavar="FILE", help="sizes of yours")
    comparing = commands.add_parser("actual", help="after it", description="Predicted and actual, stage by stage.")
    comparing.add_argument("--plan", type=Path, default=PLAN, help=f"what `plan` wrote ({PLAN})")
    for command, output in ((planning, PLAN), (comparing, PLAN.with_name("actual"))):
        command.add_argument("--output", type=Path, default=output, help=f"files without .md and .json ({output})")
    arguments, rest = parser.parse_known_args(argv)
    log_to_stderr(logging.WARNING)
    LOG.setLevel(logging.INFO)
    if arguments.command == "plan":
        plan(arguments, rest)
    elif rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    else:
        compare(arguments)


if __name__ == "__main__":
    run_script(main)
