"""A pool's relevance prompts as token ids, shard by shard, as the annotation engines make them.

python benchmarks/programs/prompts.py --model FOLDER --pool SHARD.parquet … --prompt FILE.j2 --output FILE.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from utility_annotation.annotation.items import read_pool
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.relevance import relevance_stage
from utility_annotation.engines.chat_tokens import ChatTokenizer
from utility_annotation.settings import Annotator

_AT_A_TIME = 64


def main() -> None:
    """Write the number of prompts and tokens, and a digest of the token ids."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "prompt", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pool", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    annotator = Annotator(model="measured")
    tokenizer = ChatTokenizer(arguments.model, annotator)
    stage = relevance_stage(annotator, PromptTemplate(arguments.prompt, PromptSanitizer(tokenizer.special_tokens)))
    start = time.perf_counter()
    prompts = tokens = 0
    digest = hashlib.sha256()
    for shard in arguments.pool:
        items = (item.cut(annotator.passage_words) for item in read_pool(shard))
        requests = [request for item in items for request in stage.requests(item)]
        prompts += len(requests)
        for first in range(0, len(requests), _AT_A_TIME):
            for ids in tokenizer.prompts([request.chat for request in requests[first : first + _AT_A_TIME]]):
                tokens += len(ids)
                digest.update(np.array(ids, dtype=np.int32).tobytes())
    seconds = time.perf_counter() - start
    arguments.output.write_text(json.dumps({"prompts": prompts, "digest": digest.hexdigest()}))
    print(json.dumps({"tokens": tokens, "work_seconds": seconds}))


if __name__ == "__main__":
    main()
