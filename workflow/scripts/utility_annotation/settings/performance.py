"""What may be tuned without making any result stale."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Name, OutsidePath, Settings


class ServerPerformance(Settings):
    """How engine openai reaches its server."""

    url: str = Field("http://127.0.0.1:8000/v1", description="Base URL of the server's API, /v1 included.")
    api_key_env: str = Field(
        "OPENAI_API_KEY",
        description="Environment variable that holds the API key. The key is sent if the variable is set.",
    )
    concurrency: int = Field(32, ge=1, description="Number of requests at a time.")
    timeout: float = Field(600, gt=0, description="Seconds before a request without an answer is given up.")
    attempts: int = Field(
        6, ge=1, description="How many times a request is sent while the server is busy or fails, with growing pauses."
    )


class EnginePerformance(Settings):
    """How an annotation engine uses its machine."""

    batch_tokens: int = Field(4096, ge=1, description="transformers: tokens per batch, padding included.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="transformers: auto uses a GPU if there is one.")
    gpus: int = Field(
        0,
        ge=0,
        description="GPUs per job. vllm splits the model over them (tensor parallelism).",
    )
    gpus_of: dict[Name, Annotated[int, Field(ge=0)]] = Field(
        {},
        description="GPUs per job of an annotator, by its name, where they are not `gpus`: a larger LLM may need more.",
    )
    memory_fraction: float = Field(
        0.9, gt=0, le=1, description="vllm: fraction of a GPU's memory for weights and cache."
    )
    python: OutsidePath = Field(
        "python", description="vllm: the Python interpreter of its jobs, if vLLM has its own environment."
    )
    server: ServerPerformance = Field(ServerPerformance(), description="openai: the server.")
    servers: dict[str, ServerPerformance] = Field(
        {}, description="openai: by `served_model_name`, a server other than `server`, such as that of a second judge."
    )

    def of(self, annotator: str) -> EnginePerformance:
        """The same for one annotator: ``gpus`` is its number."""
        return self.model_copy(update={"gpus": self.gpus_of.get(annotator, self.gpus)})

    def server_of(self, served_model_name: str | None) -> tuple[str, ServerPerformance]:
        """The server of a model, after its place in the configuration."""
        if served_model_name in self.servers:
            return f"performance.annotate.servers.{served_model_name}", self.servers[served_model_name]
        return "performance.annotate.server", self.server


class TrainPerformance(Settings):
    """How training uses its machine."""

    grad_cache_chunk: int = Field(
        0,
        ge=0,
        description="Gradient caching: number of passages encoded at a time; 0 encodes the whole batch at once.",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Gradient checkpointing: only the input of each layer is kept, and the backward pass computes the "
        "layer again. This takes less memory and more time.",
    )
    fsdp: bool = Field(
        False,
        description="Weights, gradients and AdamW's moments in parts, one per GPU (FSDP2), for a model that does not "
        "fit into one. Without it each GPU has all of them. Needs two GPUs or more, and precision bf16 or fp32.",
    )
    checkpoint_steps: int = Field(500, ge=1, description="Steps between checkpoints.")
    log_steps: int = Field(
        10, ge=1, description="Steps between progress lines; slow steps get a line every ten seconds."
    )
    log_to: Literal["none", "tensorboard"] = Field(
        "none",
        description="Where loss, learning rate and the metric of `trainings.*.dev` go beside the log. tensorboard "
        "needs the package of this name, and writes to logs/tensorboard/BACKBONE/TRAINING.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto uses a GPU if there is one.")
    gpus: int = Field(0, ge=0, description="GPUs per job.")


class EncodePerformance(Settings):
    """How encoding and search use their machine."""

    batch_tokens: int = Field(
        0,
        ge=0,
        description="Tokens per batch, padding included; on a CPU per batch and thread. 0 means 16384 on a GPU and "
        "2048 on a CPU.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto uses a GPU if there is one.")
    search: Literal["auto", "torch", "faiss"] = Field(
        "auto",
        description="What scores the passages; the search is always exact. auto uses faiss on a GPU if the installed "
        "faiss supports it, and torch otherwise; on a CPU torch on an Intel processor, else numpy. faiss on a CPU is "
        "used only on request.",
    )
    gpus: int = Field(0, ge=0, description="GPUs per job.")
    keep_vectors: bool = Field(
        True,
        description="Keep the vectors of untrained models for datasets made of documents, in results/vectors/, so that "
        "only new passages are encoded when documents change. Two bytes per dimension and passage.",
    )
    temporary_vectors: bool = Field(
        True,
        description="Delete the vectors of a corpus when every search of the run that needs them is done. If false, "
        "they stay in results/embeddings/, and a search that joins later encodes nothing again.",
    )


class Performance(Settings):
    """What you can tune without making a result stale."""

    annotate: EnginePerformance = Field(EnginePerformance(), description="Annotation engines.")
    train: TrainPerformance = Field(TrainPerformance(), description="Training.")
    encode: EncodePerformance = Field(EncodePerformance(), description="Encoding and search.")
    threads: int = Field(
        1, ge=1, description="CPU threads per job that annotates, trains, encodes, or reads or divides documents."
    )

    def of(self, annotator: str) -> Performance:
        """The same for the jobs of one annotator."""
        return self.model_copy(update={"annotate": self.annotate.of(annotator)})
