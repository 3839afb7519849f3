"""The table of times is what the benchmark files say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture(scope="module")
def main(root: Path):
    return runpy.run_path(str(root / "benchmarks" / "jobs_table.py"))["main"]


def record(folder: Path, rule: str, job: str, seconds: str, memory: str) -> None:
    (folder / rule).mkdir(exist_ok=True)
    row = "\t".join([seconds, "0:00:00", memory, "1", "1", "1", "0", "0", "1", "1"])
    (folder / rule / f"{job}.tsv").write_text(HEADER + row + "\n")


def test_jobs_are_summed_by_rule_and_the_biggest_tells_the_memory(tmp_path, main, capsys):
    record(tmp_path, "encode", "a", "20.25", "300.6")
    record(tmp_path, "train", "a", "1000.5", "1905.87")
    record(tmp_path, "train", "b", "234.0", "1833.04")
    record(tmp_path, "merge", "a", "0.02", "NA")
    main([str(tmp_path)])
    assert capsys.readouterr().out.splitlines() == [
        "| rule | jobs | seconds | memory of the biggest job, MiB |",
        "| --- | --- | --- | --- |",
        "| train | 2 | 1,234 | 1,906 |",
        "| encode | 1 | 20 | 301 |",
        "| merge | 1 | 0 |  |",
    ]


def test_no_benchmark_files_is_an_error_that_says_so(tmp_path, main, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "nowhere")])
    assert stopped.value.code == 2
    assert "holds no benchmark files" in capsys.readouterr().err
