"""Encode one shard of a corpus into half-precision vectors."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.devices import choose_device, use_threads
from utility_annotation.common.errors import run_script
from utility_annotation.common.progress import log_to_stderr
from utility_annotation.retrieval.encoding import encode_corpus
from utility_annotation.settings import Backbone, Performance, Settings, from_json
from utility_annotation.training.encoder import Encoder


class EncodeSettings(Settings):
    """What decides the vectors, beside the model's weights."""

    backbone: Backbone


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help='{"backbone": a section `backbones`}, as JSON')
    parser.add_argument("--performance", required=True, help="section `performance`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    parser.add_argument("--corpus", required=True, type=Path, help="corpus (parquet)")
    parser.add_argument("--shard", required=True, help="such as 0003-of-0064")
    parser.add_argument("--output-vectors", required=True, type=Path, help="vectors (npy, fp16)")
    parser.add_argument("--output-docids", required=True, type=Path, help="their docids (parquet)")
    arguments = parser.parse_args(argv)
    log_to_stderr()
    settings = from_json(EncodeSettings, arguments.settings)
    performance = from_json(Performance, arguments.performance)
    use_threads(performance.threads)
    device = choose_device(performance.encode.device, performance.encode.gpus, "encode")
    encoder = Encoder.load(arguments.model, settings.backbone).to(device)
    encode_corpus(
        encoder,
        arguments.corpus,
        arguments.shard,
        arguments.output_vectors,
        arguments.output_docids,
        batch_tokens=performance.encode.batch_tokens,
    )


if __name__ == "__main__":
    run_script(main)
