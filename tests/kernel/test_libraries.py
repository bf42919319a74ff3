"""Libraries that were used in the kernel are used again in a trial: what the table in docs/trials.md says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from .live import Kernel

TABLE = Path(__file__).parents[2] / "docs" / "trials.md"
FRAME = "{'k': [1, 1, 2], 'v': [1.0, 2.0, 3.0]}"
FORKED = {
    "numpy": "import numpy as np; a = np.random.default_rng(0).random((400, 400)); print((a @ a).shape)",
    "scipy": "import scipy.linalg, numpy as np; print(scipy.linalg.lu(np.eye(200) + 1)[1].shape)",
    "pandas": f"import pandas as pd; print(pd.DataFrame({FRAME}).groupby('k').v.sum().tolist())",
    "pyarrow": f"import pyarrow as pa; print(pa.table({FRAME}).group_by('k').aggregate([('v', 'sum')]).num_rows)",
    "duckdb": "import duckdb; print(duckdb.sql('select sum(range) from range(1000000)').fetchall())",
    "sklearn": "from sklearn.cluster import KMeans; import numpy as np; "
    "x = np.random.default_rng(0).random((2000, 4)); print(KMeans(3, n_init=1).fit(x).cluster_centers_.shape)",
    "matplotlib": "import matplotlib.pyplot as plt; print(len(plt.plot([1, 2]))); plt.close()",
    "joblib": "from joblib import Parallel, delayed; "
    "print(Parallel(2, backend='threading')(delayed(abs)(-i) for i in range(4)))",
    "torch": "import torch; m = torch.ones(400, 400, requires_grad=True); "
    "(m @ m).sum().backward(); print(m.grad.shape)",
    "statsmodels": "import statsmodels.api as sm, numpy as np; print(sm.OLS([1.0, 2, 3], np.eye(3)[:, :2]).fit().nobs)",
}
INSTEAD = {
    "polars": "import polars as pl; "
    f"print(pl.DataFrame({FRAME}).lazy().group_by('k').sum().sort('k').collect().rows())",
}


def rows() -> dict[str, str]:
    lines = [line.split("|") for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    return {words[1].strip(" `"): words[2].strip() for words in lines}


def test_the_table_names_the_libraries_that_are_tried_here() -> None:
    told = rows()
    assert {name for name in FORKED if told.get(name) == "in a fork"} == set(FORKED)
    assert {name for name in INSTEAD if told.get(name) == "in a fresh process"} == set(INSTEAD)


@pytest.mark.parametrize("library", [*FORKED, *INSTEAD])
def test_a_library_that_was_used_in_the_kernel_works_in_a_trial(kernel: Kernel, library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"the library {library} is not installed")
    code = {**FORKED, **INSTEAD}[library]
    before = kernel.run(code)
    assert before.status == "ok", before
    tried = kernel.run("%%trial --timeout 60\n" + code)
    assert tried.stdout == before.stdout, tried
    # Where polars is installed statsmodels imports it.
    instead = library in INSTEAD or (library == "statsmodels" and importlib.util.find_spec("polars") is not None)
    assert ("a fresh process ran it" in tried.account) == instead, tried.account
    again = kernel.run(code)
    assert again.stdout == before.stdout


def test_a_library_whose_threads_cannot_be_forked_into_a_namespace_runs_in_a_fresh_process(kernel: Kernel) -> None:
    """SciPy's FFT makes its threads anew in the parent of each fork, also where the kernel allows no threads."""
    if importlib.util.find_spec("scipy") is None:
        pytest.skip("the library scipy is not installed")
    code = "import scipy.fft, numpy as np; print(scipy.fft.fft(np.ones((64, 64)), workers=2).shape)"
    kernel.run(code)
    assert kernel.run("%%trial\n" + code).stdout == "(64, 64)\n"
    assert kernel.run(code).stdout == "(64, 64)\n"
