"""One real kernel for the tests of a module: each leaves it as it was, which is what they prove."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.sandbox.probe import probe

from .live import Kernel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook's folder."""
    folder = tmp_path_factory.mktemp("live") / "notebooks"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / ".env").write_text("TOKEN=1\n")
    return folder


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel with nbagent loaded, and some variables."""
    if probe().layers is None:
        pytest.skip("this machine cannot confine code")
    started = Kernel(folder)
    started.run("import os, sys\nimport numpy as np\nimport pandas as pd")
    yield started
    started.close()
