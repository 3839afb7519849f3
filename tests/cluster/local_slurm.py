"""A SLURM of one node, on this machine, for the tests: real daemons, declared CPUs and GPUs, no accounting.

As root only, as SLURM's daemons start jobs for others. Its configuration lies in /etc/slurm, for a job finds it nowhere
else; a configuration that somebody else put there is never touched.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SITE = Path("/etc/slurm")
MARK = "# Written by the tests of utility annotation; removed when they end."
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol", "squeue", "sinfo", "scancel", "srun")


def why_not() -> str | None:
    """What keeps a SLURM from being started here; None where nothing does."""
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root"
    if missing := [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]:
        return f"{', '.join(missing)} not installed (tests/cluster/install.sh installs SLURM on Debian)"
    for file in (SITE / "slurm.conf", SITE / "gres.conf"):
        if file.exists() and MARK not in file.read_text():
            return f"{file} is another SLURM's configuration"
    return None


@contextmanager
def running(state: Path) -> Iterator[None]:
    """A SLURM with an idle node of 16 CPUs, 64 GB and two H100s, all of them only declared.

    Args:
        state: an empty folder for the daemons' state and logs.
    """
    if (SITE / "slurm.conf").exists():  # of tests that were killed
        (pid_file,) = re.findall("SlurmctldPidFile=(.*)", (SITE / "slurm.conf").read_text())
        _end(Path(pid_file).parent)
    _configure(state)
    try:
        _start(state)
        yield
    finally:
        subprocess.run(["scancel", "--full", "--user", "root"], check=False)
        _end(state)


def _configure(state: Path) -> None:
    host = socket.gethostname().split(".")[0]
    SITE.mkdir(exist_ok=True)
    (SITE / "slurm.conf").write_text(
        f"""{MARK}
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
StateSaveLocation={state}/slurmctld
SlurmdSpoolDir={state}/slurmd
SlurmctldPidFile={_pid_file("slurmctld", state)}
SlurmdPidFile={_pid_file("slurmd", state)}
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
GresTypes=gpu
MinJobAge=3600
ReturnToService=2
KillWait=5
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:h100:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=2-00:00:00 State=UP
"""
    )
    (SITE / "gres.conf").write_text(
        f"{MARK}\nAutoDetect=off\nName=gpu Type=h100 File=/dev/null\nName=gpu Type=h100 File=/dev/zero\n"
    )


def _start(state: Path) -> None:
    for folder in ("slurmctld", "slurmd"):
        (state / folder).mkdir()
    subprocess.run(
        ["munged", "--force", f"--key-file={_key(state)}", f"--socket={state}/munge.socket"]
        + [f"--{kind}-file={state}/munged.{kind}" for kind in ("pid", "log", "seed")],
        check=True,
        env=os.environ | {"PATH": _path()},
    )
    for daemon in ("slurmctld", "slurmd"):
        subprocess.run([daemon], check=True, env=os.environ | {"PATH": _path()})
    deadline = time.monotonic() + 30
    while (status := subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True)).stdout[:4] != "idle":
        if time.monotonic() > deadline:
            logs = "".join((state / f"{daemon}.log").read_text()[-2000:] for daemon in ("slurmctld", "slurmd"))
            raise RuntimeError(f"the node is not idle after 30 s: {status.stdout}{status.stderr}\n{logs}")
        time.sleep(0.2)


def _key(state: Path) -> Path:
    key = state / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    return key


def _end(state: Path) -> None:
    """End the daemons, and remove what tells others of them."""
    for daemon in ("slurmctld", "slurmd", "munged"):
        _stop(_pid_file(daemon, state))
    for name in ("slurm.conf", "gres.conf"):
        (SITE / name).unlink(missing_ok=True)


def _pid_file(daemon: str, state: Path) -> Path:
    return state / f"{daemon}.pid"


def _stop(pid_file: Path) -> None:
    """End a daemon and wait for it; one that never started has nothing to end."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
