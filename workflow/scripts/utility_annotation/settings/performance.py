"""What may be tuned without making any result stale."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Settings


class ServerPerformance(Settings):
    """How engine openai reaches its server."""

    url: str = Field("http://127.0.0.1:8000/v1", description="Where the server's protocol begins, /v1 included.")
    api_key_env: str = Field(
        "OPENAI_API_KEY", description="Environment variable that holds the key; sent where it is set."
    )
    concurrency: int = Field(32, ge=1, description="Requests under way at a time.")
    timeout: float = Field(600, gt=0, description="Seconds until a request without an answer is given up.")
    attempts: int = Field(
        6, ge=1, description="Tries of a request that a busy or failing server refuses, with growing pauses between."
    )


class EnginePerformance(Settings):
    """How an annotation engine uses its machine."""

    batch_tokens: int = Field(4096, ge=1, description="transformers: padded tokens a batch.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="transformers: auto takes a GPU where there is one."
    )
    gpus: int = Field(
        0,
        ge=0,
        description="GPUs that a job asks the scheduler for; vllm splits the model over them (tensor parallel).",
    )
    memory_fraction: float = Field(0.9, gt=0, le=1, description="vllm: share of a GPU's memory for weights and cache.")
    python: str = Field(
        "python", description="vllm: the interpreter of its jobs, for a vLLM that lives in an environment of its own."
    )
    server: ServerPerformance = Field(ServerPerformance(), description="openai: the server.")


class TrainPerformance(Settings):
    """How training uses its machine."""

    grad_cache_chunk: int = Field(
        0, ge=0, description="Gradient caching: passages encoded at a time; 0 encodes the whole batch at once."
    )
    checkpoint_steps: int = Field(500, ge=1, description="Steps between checkpoints.")
    log_steps: int = Field(10, ge=1, description="Steps between progress lines; slow steps have one every ten seconds.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one.")
    gpus: int = Field(0, ge=0, description="GPUs that a job asks the scheduler for.")


class EncodePerformance(Settings):
    """How encoding and search use their machine."""

    batch_tokens: int = Field(
        0,
        ge=0,
        description="Padded tokens a batch, and on a CPU a batch for each thread; 0 takes 16384 on a GPU and 2048 on "
        "a CPU.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one.")
    search: Literal["auto", "torch", "faiss"] = Field(
        "auto",
        description="What scores the passages, exactly in each case: auto takes faiss on a GPU for which the "
        "installed faiss is built, else torch; faiss on a CPU is used only when asked for.",
    )
    gpus: int = Field(0, ge=0, description="GPUs that a job asks the scheduler for.")


class Performance(Settings):
    """What may be tuned without making any result stale."""

    annotate: EnginePerformance = Field(EnginePerformance(), description="Annotation engines.")
    train: TrainPerformance = Field(TrainPerformance(), description="Training.")
    encode: EncodePerformance = Field(EncodePerformance(), description="Encoding and search.")
    threads: int = Field(1, ge=1, description="CPU threads of an annotation, training or encoding job.")
