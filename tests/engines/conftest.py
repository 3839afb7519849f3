"""Every test here may ask a server of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick_servers(quick_servers: None) -> None:
    pass
