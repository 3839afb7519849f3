"""Functions only: what a user is told at the end of a run that failed."""

from snakemake.logging import logger

_LAST_LINES = 3


def tell_what_failed(snakemake_logs: list[str]) -> None:
    """Repeat, as the last thing on the terminal, what each failed job says; Snakemake puts whole commands before it."""
    text = "\n".join(Path(log).read_text(errors="replace") for log in snakemake_logs)
    logs = re.findall(
        r"^ +log: (.+) \(check log file\(s\) for error details\)$", text, re.MULTILINE
    )
    words = [
        f"{log}: {said}"
        for log in dict.fromkeys(logs)
        if (said := last_words(Path(log)))
    ]
    if words:
        logger.error("\n".join(("What failed, and why:", *words)))


def last_words(log: Path) -> str:
    """The error of a job's log, or the last of its lines where it names none."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if line.startswith("error: ")]
    return (
        errors[-1] if errors else " / ".join(list(filter(None, lines))[-_LAST_LINES:])
    )
