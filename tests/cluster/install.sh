#!/usr/bin/env bash
# Installs the SLURM with which the tests of profiles/slurm run (Debian, as root). Its daemons are not started here.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
apt-get update -qq
apt-get install -qq --no-install-recommends slurm-wlm slurmctld slurmd slurm-client munge
