#!/usr/bin/env bash
# Installs the SLURM on which the tests of profiles/slurm run (Debian, as root). The tests start and stop its daemons.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends slurm-wlm slurmctld slurmd slurm-client munge
