"""How far two programs' results are apart: the first step's gradients, or the vectors of a corpus.

python benchmarks/programs/compare_results.py gradients OURS.safetensors PEER.safetensors
python benchmarks/programs/compare_results.py vectors OURS.npy PEER.npy
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def gradient_difference(ours: Path, peer: Path) -> float:
    """The norm of the difference as a share of the gradient's norm, at its largest over the parameters' tensors.

    A tensor whose gradient is 0 but for rounding (the keys' biases: softmax is blind to them) is measured by the norm
    of the whole gradient.
    """
    first, second = load_file(ours), load_file(peer)
    if first.keys() != second.keys():
        raise SystemExit(f"not the same parameters: {sorted(first.keys() ^ second.keys())}")
    whole = np.sqrt(sum(float(np.square(value).sum()) for value in second.values()))
    return max(
        float(np.linalg.norm(first[name] - value) / max(np.linalg.norm(value), 1e-3 * whole))
        for name, value in second.items()
    )


def least_cosine(ours: Path, peer: Path) -> float:
    """The least cosine of two vectors of the same passage."""
    first, second = (np.load(path, allow_pickle=False).astype(np.float32) for path in (ours, peer))
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / norms).min())


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["gradients", "vectors"])
    parser.add_argument("ours", type=Path)
    parser.add_argument("peer", type=Path)
    arguments = parser.parse_args()
    if arguments.kind == "gradients":
        print(json.dumps({"relative_difference": gradient_difference(arguments.ours, arguments.peer)}))
    else:
        print(json.dumps({"least_cosine": least_cosine(arguments.ours, arguments.peer)}))


if __name__ == "__main__":
    main()
