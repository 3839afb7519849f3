"""A pool's relevance prompts as token ids, the plain way, one `apply_chat_template` a query: the peer.

python benchmarks/programs/prompts_loop.py --model FOLDER --pool SHARD.parquet … --prompt FILE.j2 --output FILE.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from jinja2 import Template
from transformers import AutoTokenizer


def main() -> None:
    """Write the number of prompts and tokens, and a digest of the token ids."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "prompt", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pool", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model, trust_remote_code=False)
    turns = [part.partition("\n") for part in arguments.prompt.read_text(encoding="utf-8").split("\n## ")[1:]]
    before = [(head, Template(body.strip())) for head, _, body in turns[:4]]
    each = [(head.partition(",")[0], Template(body.strip())) for head, _, body in turns[4:6]]
    after = [(head, Template(body.strip())) for head, _, body in turns[6:]]
    start = time.perf_counter()
    prompts = tokens = 0
    digest = hashlib.sha256()
    for row in (row for shard in arguments.pool for row in pq.read_table(shard).to_pylist()):
        passages = [" ".join(candidate["text"].split()[:300]) for candidate in row["candidates"]]
        values = {"query": row["query"], "count": len(passages)}
        messages = [{"role": role, "content": template.render(values)} for role, template in before]
        for number, passage in enumerate(passages, start=1):
            for role, template in each:
                messages.append({"role": role, "content": template.render(number=number, passage=passage)})
        messages += [{"role": role, "content": template.render(values)} for role, template in after]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        prompts += 1
        tokens += len(ids)
        digest.update(np.array(ids, dtype=np.int32).tobytes())
    seconds = time.perf_counter() - start
    arguments.output.write_text(json.dumps({"prompts": prompts, "digest": digest.hexdigest()}))
    print(json.dumps({"tokens": tokens, "work_seconds": seconds}))


if __name__ == "__main__":
    main()
