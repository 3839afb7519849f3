"""What is measured beside what a user would pick instead: input, programs, sizes and aims."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import measure
from comparison import PROGRAMS, Command, Comparison, Making, Peer

PYTHON = sys.executable
SHARDS = 64
SHARD_QUERIES = 15_344
MINILM, LLM = "all-minilm-l6-v2", "smollm2-135m-instruct"


def generate_input(kind: str, *options: str) -> None:
    """Run generate.py."""
    measure.run([PYTHON, measure.ROOT / "benchmarks" / "generate.py", kind, *options])


def model_folder(name: str) -> Path:
    """The folder of a model of the demo, prepared by the workflow if it is not there yet."""
    folder = Path("data/models") / name
    if not (measure.ROOT / folder).is_dir():
        subprocess.run(
            [PYTHON, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--", str(folder)],
            cwd=measure.ROOT,
            check=True,
        )
    return measure.ROOT / folder


# Pools -------------------------------------------------------------------------------------------------------------


def _ours(work: str, *options: str | Path) -> Making:
    def command(source: Path, output: Path) -> Command:
        return [PYTHON, PROGRAMS / "ours.py", work, "--input", source, *options, "--output", output]

    return command


def _pool_peer(program: str, *options: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        rows = ["--rows", source / "rows.jsonl", "--shards", str(SHARDS), "--output", output]
        return [PYTHON, PROGRAMS / program, *rows, *options]

    return command


POOL = Comparison(
    name="pool",
    title="Tevatron rows to a pool",
    text="Tevatron's training rows (version 1, JSON lines, 31 passages of about 55 words a question) are read, "
    f"checked, shuffled and written as the {SHARDS} shards of a pool (parquet, zstd). The plain loop does the same "
    "with `json.loads` and a dictionary a candidate, without our checks; `datasets` with `load_dataset`, `map` and "
    "`to_parquet`. `load_dataset` alone only copies the rows into its cache.",
    unit="queries",
    sizes=(5_750, 23_000, 92_000),
    generate=lambda folder, size: generate_input("rows", str(folder / "rows.jsonl"), "--queries", str(size)),
    ours=_ours("pool", "--shards", str(SHARDS)),
    peers=(
        Peer("json loop", _pool_peer("pool_json_loop.py"), reach=5),
        Peer("datasets", _pool_peer("pool_datasets.py"), reach=3),
        Peer("load_dataset alone", _pool_peer("pool_datasets.py", "--load-only"), same_result=False),
    ),
    suffix="",
    why="20,000 questions (219 MB) on one thread: 2.4 CPU seconds go into reading (JSON by Arrow, and the checks),"
    " 1.1 into writing parquet with zstd, as the peers do, 0.6 without the profiler into the order of the "
    "candidates (a random generator a question, so that a pool stays what it was), 0.5 into the start. "
    "`json.loads` alone takes the loop 0.5 s, so that there is little to gain over it.",
    packages=("pyarrow", "orjson", "datasets"),
    whole=491_007,
    facts=lambda folder: {"megabytes": round((folder / "rows.jsonl").stat().st_size / 1e6)},
)


# Labels ------------------------------------------------------------------------------------------------------------


def _merge(*command: str | Path) -> Making:
    def full(source: Path, output: Path) -> Command:
        pool, annotation = (sorted((source / kind).iterdir()) for kind in ("pool", "utilsel"))
        return [PYTHON, *command, "--pool", *pool, "--annotation", *annotation, "--output", output]

    return full


LABELS = Comparison(
    name="labels",
    title="Annotations to labels",
    text=f"The utility selections of all questions, in {SHARDS} shards beside those of their pool (31 candidates each, "
    "with their texts), become one file of labels, a row a candidate. The loop reads the same columns, makes the same "
    "checks and writes the same table, row by row.",
    unit="queries",
    sizes=(30_687, 122_751, 491_007),
    generate=lambda folder, size: generate_input(
        "annotated", str(folder), "--queries", str(size), "--shards", str(SHARDS)
    ),
    ours=_ours("labels"),
    peers=(Peer("loop over rows", _merge(PROGRAMS / "labels_loop.py"), reach=10),),
    suffix=".parquet",
    why="122,751 questions on one thread: of 2.7 CPU seconds 0.5 go into writing parquet and 0.4 into reading it, "
    "as in the loop, 0.6 into putting rows into order, 0.5 into the start, 0.2 into seeing that no row stands "
    "twice, and the rest into finding the passages selected and into checks. Reading and writing alone leave "
    "no room for a tenth of the loop's time.",
    packages=("pyarrow", "numpy"),
)


# Prompts -----------------------------------------------------------------------------------------------------------


def _generate_pool(folder: Path, queries: int) -> None:
    """In shards of the paper's size, of which it has 32."""
    shards = math.ceil(queries / SHARD_QUERIES)
    generate_input("annotated", str(folder), "--queries", str(queries), "--shards", str(shards))


def _prompts(program: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        pool = sorted((source / "pool").iterdir())
        prompt = measure.ROOT / "resources" / "prompts" / "relsel.j2"
        inputs = ["--model", model_folder(LLM), "--pool", *pool, "--prompt", prompt]
        return [PYTHON, PROGRAMS / program, *inputs, "--output", output]

    return command


PROMPTS = Comparison(
    name="prompts",
    title="Prompts, rendered and tokenised",
    text="The relevance prompts of a pool's shard (31 passages a question) as token ids of the demo's LLM, beside a "
    "loop that renders a prompt and calls `apply_chat_template`, one question at a time. The token ids are equal. "
    "Eight GPUs that read 7,000 tokens a second each take in 56,000; ten times as many are to be made.",
    unit="queries",
    sizes=(75, 300, 1_200),
    generate=_generate_pool,
    ours=_prompts("prompts.py"),
    peers=(Peer("apply_chat_template", _prompts("prompts_loop.py"), reach=3),),
    suffix=".json",
    why="480 prompts: the tokenizer, which is the same for both and here runs in two threads, has 1.15 of 2.0 s; "
    "rendering our templates takes 0.5 and cutting passages 0.1, while the model's own template is rendered "
    "beside it.",
    packages=("transformers", "tokenizers", "jinja2"),
    time="work_seconds",
    whole=491_007,
    whole_reach=560_000,
)


# Training ----------------------------------------------------------------------------------------------------------

QUERIES, OF_QUERY, CHUNK = 16, 4, 16
LORA_QUERIES, LORA_OF_QUERY, LORA_CHUNK = 4, 3, 4
LAST = ("--pooling", "last")


def _batches(queries: int, of_query: int) -> Callable[[Path, int], None]:
    def generate(folder: Path, steps: int) -> None:
        options = ["--batches", str(min(max(steps, 1), 8)), "--queries", str(queries), "--passages", str(of_query)]
        measure.run([PYTHON, PROGRAMS / "generate_passages.py", "batches", folder / "batches.json", *options])
        (folder / "steps").write_text(str(steps), encoding="utf-8")

    return generate


def _train(program: str, model: str, chunk: int, *options: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        steps = (source / "steps").read_text(encoding="utf-8")
        task = ["--batches", source / "batches.json", "--steps", steps, "--grad-cache-chunk", str(chunk)]
        return [PYTHON, PROGRAMS / program, "--model", model_folder(model), *task, *options, "--output", output]

    return command


TRAINING = Comparison(
    name="training",
    title="Training steps",
    text=f"Steps of MiniLM on {QUERIES} questions with {OF_QUERY} passages each (at most 128 tokens), fp32, negatives "
    f"of the whole batch, gradients cached {CHUNK} texts at a time, beside sentence-transformers' "
    "`CachedMultipleNegativesRankingLoss` in a loop with the same optimiser. The gradients of the first step, without "
    "dropout, are the same. What is timed are all steps but the first, tokenising included.",
    unit="steps",
    sizes=(1, 2, 4),
    generate=_batches(QUERIES, OF_QUERY),
    ours=_train("train_ours.py", MINILM, CHUNK),
    peers=(Peer("sentence-transformers", _train("train_sentence_transformers.py", MINILM, CHUNK), reach=1.2),),
    suffix=".safetensors",
    packages=("torch", "transformers", "sentence-transformers"),
    time="work_seconds",
    memory=1,
)

LORA_OPTIONS = (*LAST, "--lora-rank", "16")

TRAINING_LORA = Comparison(
    name="training-lora",
    title="Training steps of a decoder with LoRA",
    text=f"The same of SmolLM2-135M with LoRA of rank 16 beside all linear layers, the last token's vectors, on "
    f"{LORA_QUERIES} questions with {LORA_OF_QUERY} passages each, {LORA_CHUNK} texts at a time. The peer has peft's "
    "adapters by `add_adapter`, with the same first matrices.",
    unit="steps",
    sizes=(1, 2),
    generate=_batches(LORA_QUERIES, LORA_OF_QUERY),
    ours=_train("train_ours.py", LLM, LORA_CHUNK, *LORA_OPTIONS),
    peers=(
        Peer(
            "sentence-transformers",
            _train("train_sentence_transformers.py", LLM, LORA_CHUNK, *LORA_OPTIONS),
            reach=1.2,
        ),
    ),
    suffix=".safetensors",
    packages=("torch", "transformers", "sentence-transformers", "peft"),
    time="work_seconds",
    memory=1,
)


GROUPS, OF_GROUP = 8, 4


def _generate_groups(folder: Path, steps: int) -> None:
    _batches(GROUPS, OF_GROUP)(folder, steps)
    _new_reranker(folder)


def _train_reranker(program: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        steps = (source / "steps").read_text(encoding="utf-8")
        task = ["--model", source / "model", "--batches", source / "batches.json", "--steps", steps]
        return [PYTHON, PROGRAMS / program, *task, "--grad-cache-chunk", "0", "--output", output]

    return command


TRAINING_RERANKER = Comparison(
    name="training-reranker",
    title="Training steps of a reranker",
    text=f"Steps of MiniLM as a cross-encoder on {GROUPS} questions with {OF_GROUP} passages each (pairs of at "
    "most 256 tokens), fp32, ListNet's loss, all pairs' graphs kept, beside sentence-transformers' `ListNetLoss` in a "
    "loop with the same optimiser. The gradients of the first step, without dropout, are the same. What is timed are "
    "all steps but the first, tokenising included.",
    unit="steps",
    sizes=(1, 2, 4),
    generate=_generate_groups,
    ours=_train_reranker("train_reranker_ours.py"),
    peers=(Peer("sentence-transformers", _train_reranker("train_reranker_sentence_transformers.py"), reach=1.0),),
    suffix=".safetensors",
    packages=("torch", "transformers", "sentence-transformers"),
    time="work_seconds",
)


# Encoding ----------------------------------------------------------------------------------------------------------


def _generate_corpus(folder: Path, passages: int) -> None:
    options = ["corpus", folder / "corpus.parquet", "--passages", str(passages)]
    measure.run([PYTHON, PROGRAMS / "generate_passages.py", *options])


def _encode(model: str, *options: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        machine = ["--model", model_folder(model), "--threads", str(len(os.sched_getaffinity(0)))]
        return _ours("encode", *machine, *options)(source, output)

    return command


def _encode_sentence_transformers(model: str, *options: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        inputs = ["--model", model_folder(model), "--corpus", source / "corpus.parquet", *options]
        return [PYTHON, PROGRAMS / "encode_sentence_transformers.py", *inputs, "--output", output]

    return command


ENCODING = Comparison(
    name="encoding",
    title="Encoding a corpus",
    text="Passages of 10 to 250 words (50 in the middle) through MiniLM in fp32, from the corpus's file to the file of "
    "vectors (fp16), by `encode.py` and by `SentenceTransformer.encode`. Each pair of vectors has a cosine of at least "
    "0.9999. What is timed are whole processes: imports, loading the model, all.",
    unit="passages",
    sizes=(1_250, 5_000, 20_000),
    generate=_generate_corpus,
    ours=_encode(MINILM),
    peers=(Peer("sentence-transformers", _encode_sentence_transformers(MINILM), reach=1.1),),
    suffix=".npy",
    why="Of one thread's time 73 % goes into matrix products, 13 % into attention, 1 % into tokenising (beside "
    "other work). Each thread takes a batch of its own, of texts of like length, so that two batches are in "
    "memory at once.",
    packages=("torch", "transformers", "sentence-transformers"),
)


ENCODING_DECODER = Comparison(
    name="encoding-decoder",
    title="Encoding a corpus by a decoder",
    text="The same by SmolLM2-135M, the last token's vectors.",
    unit="passages",
    sizes=(60, 240),
    generate=_generate_corpus,
    ours=_encode(LLM, *LAST),
    peers=(Peer("sentence-transformers", _encode_sentence_transformers(LLM, *LAST), reach=1.1),),
    suffix=".npy",
    packages=("torch", "transformers", "sentence-transformers"),
)


# Reranking ---------------------------------------------------------------------------------------------------------


def _generate_run(folder: Path, queries: int) -> None:
    measure.run([PYTHON, PROGRAMS / "generate_passages.py", "run", folder, "--queries", str(queries)])
    _new_reranker(folder)


def _new_reranker(folder: Path) -> None:
    """MiniLM with a new layer for the score, as the folder's ``model``."""
    options = ["--input", folder, "--model", model_folder(MINILM), "--output", folder / "model"]
    measure.run([PYTHON, PROGRAMS / "ours.py", "new-reranker", *options])


def _rerank_sentence_transformers(source: Path, output: Path) -> Command:
    return [PYTHON, PROGRAMS / "rerank_sentence_transformers.py", "--input", source, "--output", output]


RERANKING = Comparison(
    name="reranking",
    title="Reranking",
    text="Runs of 100 passages a query (10 to 250 words, 50 in the middle), ordered again by MiniLM as a cross-encoder "
    "in fp32 (pairs of at most 256 tokens), beside `CrossEncoder.predict`, which sorts the pairs by length too. The "
    "scores differ by 1e-5 at most. What is timed is all from the run's file to the new run's.",
    unit="queries",
    sizes=(10, 40),
    generate=_generate_run,
    ours=_ours("rerank", "--threads", str(len(os.sched_getaffinity(0)))),
    peers=(Peer("sentence-transformers", _rerank_sentence_transformers, reach=1.1),),
    suffix=".parquet",
    packages=("torch", "transformers", "sentence-transformers"),
    time="work_seconds",
)


# Search ------------------------------------------------------------------------------------------------------------


def _search(program: str) -> Making:
    def command(source: Path, output: Path) -> Command:
        inputs = ["--queries", source / "queries.npy", "--corpus", source / "corpus", "--depth", "1000"]
        return [PYTHON, PROGRAMS / program, *inputs, "--output", output]

    return command


SEARCH = Comparison(
    name="search",
    title="Exact search",
    text="1,000 questions against passages of 768 dimensions (fp16 files, random vectors), 1,000 passages a question, "
    "from the files to the run. faiss is given the vectors in fp32, as its index needs them.",
    unit="passages",
    sizes=(12_500, 50_000, 200_000),
    generate=lambda folder, size: generate_input("vectors", str(folder), "--passages", str(size)),
    ours=_search("search.py"),
    peers=(Peer("IndexFlatIP", _search("search_faiss.py"), reach=1.3),),
    suffix=".parquet",
    packages=("torch", "faiss-cpu", "numpy"),
    time="work_seconds",
    memory=0.6,
    facts=lambda folder: {"searched_queries": 1_000, "dimension": 768},
)


# Evaluation --------------------------------------------------------------------------------------------------------


def _trec_eval(source: Path, output: Path) -> Command:
    files = ["--run", source / "run.parquet", "--qrels", source / "qrels.parquet"]
    return [PYTHON, PROGRAMS / "evaluate_trec_eval.py", *files, "--output", output]


EVALUATION = Comparison(
    name="evaluation",
    title="Evaluation",
    text="nDCG@10, Recall@100, Recall@1000, MAP and MRR of a run with 1,000 passages a question, a value a question "
    "each, from the parquet files to the figures. The values of the two agree to 1e-5.",
    unit="queries",
    sizes=(436, 1_745, 6_980),
    generate=lambda folder, size: generate_input("run", str(folder), "--queries", str(size)),
    ours=_ours("evaluate"),
    peers=(Peer("pytrec_eval", _trec_eval, reach=1),),
    suffix=".parquet",
    packages=("ranx", "numba", "pytrec-eval-terrier"),
    facts=lambda folder: {"depth": 1_000},
)

COMPARISONS = (
    POOL,
    LABELS,
    PROMPTS,
    TRAINING,
    TRAINING_LORA,
    TRAINING_RERANKER,
    ENCODING,
    ENCODING_DECODER,
    RERANKING,
    SEARCH,
    EVALUATION,
)
