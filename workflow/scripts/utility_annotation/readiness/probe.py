"""Run by an interpreter that jobs are to run in: imports what they import, and prints its versions as JSON.

python -m utility_annotation.readiness.probe [vllm]
"""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main(packages: list[str]) -> None:
    """Import, and tell."""
    from ..common import devices

    if "vllm" in packages:
        import_module("vllm.entrypoints.llm")  # `import vllm` alone loads nothing
    import_module("transformers")
    import torch

    fault = devices.gpu_fault()
    found = {
        "versions": {name: import_module(name).__version__ for name in (*packages, "torch")},
        "cuda": torch.version.cuda,
        "fault": fault and fault.problem,
        "fix": fault and (devices.old_driver() or fault.hint),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
