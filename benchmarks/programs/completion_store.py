"""A completion store of generated replies: fill one, or find keys in one.

    python benchmarks/programs/completion_store.py fill FOLDER --records 500000 --segments 64
    python benchmarks/programs/completion_store.py find FOLDER --records 500000 --keys 15000

Keys are found as a job finds what is stored for its shard. A reply is a passage or some, about 900 bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generate import texts

from utility_annotation.engines.protocol import Completion
from utility_annotation.engines.store import CompletionStore
from utility_annotation.engines.store_files import KEY_LENGTH

PASSAGES_A_REPLY = 3


def key(number: int) -> str:
    """The key of a record: a digest, as real ones are."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:KEY_LENGTH]


def fill(folder: Path, records: int, segments: int) -> None:
    """As many jobs as there are segments, one after another, each with its share of the records."""
    passages = texts()
    for segment in range(segments):
        with CompletionStore(folder) as store:
            for number in range(segment, records, segments):
                reply = " ".join(
                    passages[(number * PASSAGES_A_REPLY + place) % len(passages)] for place in range(PASSAGES_A_REPLY)
                )
                store.add(key(number), Completion(reply, "stop", 3_000, 200))


def find(folder: Path, records: int, keys: int) -> float:
    """Find keys that stand everywhere in the store; returns the seconds that it took.

    Raises:
        SystemExit: one is not found.
    """
    wanted = [key(number * records // keys) for number in range(keys)]
    start = time.perf_counter()
    with CompletionStore(folder) as store:
        found = store.find(wanted)
    seconds = time.perf_counter() - start
    if len(found) != len(set(wanted)):
        raise SystemExit(f"{folder}: {len(found)} of {len(set(wanted))} keys found")
    return seconds


def main() -> None:
    """Command line; see the module's description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=("fill", "find"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--segments", type=int, default=64)
    parser.add_argument("--keys", type=int, default=15_000)
    arguments = parser.parse_args()
    if arguments.work == "fill":
        fill(arguments.folder, arguments.records, arguments.segments)
    else:
        print(json.dumps({"work_seconds": find(arguments.folder, arguments.records, arguments.keys)}))


if __name__ == "__main__":
    main()
