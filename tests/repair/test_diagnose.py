"""Tracebacks as IPython writes them, and what follows from what."""

from __future__ import annotations

import pytest

from nbagent.core.cells import Cell
from nbagent.core.outputs import Execution, Raised
from nbagent.repair.diagnose import Lost, diagnose, follows_perhaps, follows_surely, reached
from nbagent.repair.names import names_of

CELL = Cell(id="c", kind="code", source="x = 1\nfor i in [1, 0]:\n    f(\n    i)\n")


def raised(ename: str, evalue: str, *lines: str) -> Execution:
    return Execution(status="raised", error=Raised(ename=ename, evalue=evalue, traceback=("\n".join(lines),)))


@pytest.mark.parametrize(
    "lines",
    [
        (
            "\x1b[36mCell In[3], line 3\x1b[39m",
            "----> 3     f(",
            "",
            "Cell In[1], line 2, in f(x)",
            "----> 2     return 1/x",
        ),
        ("Input In [3], in <cell line: 2>()", "----> 3     f(", "Input In [1], in f(x)", "----> 2     return 1/x"),
        (
            "<ipython-input-3-0123456789ab> in <module>",
            "----> 3     f(",
            "<ipython-input-1-0123456789ab> in f(x)",
            "----> 2     return 1/x",
        ),
    ],
    ids=["IPython 9", "IPython 8.0", "IPython 7"],
)
def test_frames_name_the_cells_and_lines_of_a_traceback(lines: tuple[str, ...]) -> None:
    execution = raised("ZeroDivisionError", "division by zero", "Traceback (most recent call last)", *lines)
    found = diagnose(CELL, execution, {1: "a", 3: "c"})
    assert [(frame.cell_id, frame.line, frame.function) for frame in found.frames] == [
        ("c", 3, None if "Cell" in lines[0] else found.frames[0].function),
        ("a", 2, "f"),
    ]
    assert found.lines == (3,)


def test_library_frames_have_a_path() -> None:
    where = "File ~/lib/python3.11/site-packages/json/decoder.py:353, in JSONDecoder.raw_decode(self, s, idx)"
    execution = raised("ValueError", "x", "Traceback (most recent call last)", "Cell In[3], line 2", where)
    frame = diagnose(CELL, execution, {3: "c"}).frames[-1]
    assert (frame.path, frame.line) == ("~/lib/python3.11/site-packages/json/decoder.py", 353)


def test_a_timed_cell_shows_the_line_of_its_body() -> None:
    cell = Cell(id="c", kind="code", source="%%time\ny = 1\nzz")
    lines = ("Traceback (most recent call last)", "Cell In[8], line 1", "File <timed exec>:2", "NameError: zz")
    assert diagnose(cell, raised("NameError", "name 'zz' is not defined", *lines), {8: "c"}).lines == (3,)


def test_of_a_chain_of_exceptions_the_last_one_counts() -> None:
    lines = ("Traceback (most recent call last)", "Cell In[3], line 1", "During handling of the above exception", "")
    execution = raised("KeyError", "'x'", *lines, "KeyError   Traceback (most recent call last)", "Cell In[3], line 4")
    assert diagnose(CELL, execution, {3: "c"}).lines == (4,)


def test_a_cell_that_could_not_be_compiled_got_less_far_than_one_that_ran() -> None:
    syntax = diagnose(CELL, raised("SyntaxError", "bad", "  Cell In[3], line 4", "    i)"), {3: "c"})
    ran = diagnose(CELL, raised("NameError", "x", "Traceback (most recent call last)", "Cell In[3], line 1"), {3: "c"})
    assert reached(CELL, ran) > reached(CELL, syntax)


def test_lines_added_above_the_failure_are_no_progress() -> None:
    error = ("Traceback (most recent call last)", "Cell In[3], line 3")
    longer = CELL.model_copy(update={"source": "import os\n" + CELL.source})
    later = ("Traceback (most recent call last)", "Cell In[3], line 4")
    one = reached(CELL, diagnose(CELL, raised("E", "x", *error), {3: "c"}))
    assert reached(longer, diagnose(longer, raised("E", "x", *later), {3: "c"})) == one


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np",
        "from a import np",
        "np = 1",
        "def np(): pass",
        "for np in x: pass",
        "print 'a'\nimport numpy as np",
        "print 'a'\nnp, b = f()",
        "with f() as np: pass",
        "np = !ls",
        "from pylab import *",
        "%run setup.py",
    ],
)
def test_a_missing_name_follows_from_the_failed_cell_that_would_have_bound_it(source: str) -> None:
    failed = Cell(id="a", kind="code", source=source)
    assert follows_surely(raised("NameError", "name 'np' is not defined"), [Lost(failed)]) is failed


def test_a_missing_name_that_no_failed_cell_binds_is_a_root() -> None:
    failed = Cell(id="a", kind="code", source="x = np.zeros(3)")
    assert follows_surely(raised("NameError", "name 'np' is not defined"), [Lost(failed)]) is None


def test_what_ran_before_the_failure_was_bound() -> None:
    failed = Cell(id="a", kind="code", source="np = 1\ny = 2")
    assert follows_surely(raised("NameError", "name 'np' is not defined"), [Lost(failed, 2)]) is None


def test_a_column_that_a_failed_cell_would_have_added_explains_a_key_error() -> None:
    failed = Cell(id="a", kind="code", source="df['new'] = broken(df)")
    reads = Cell(id="b", kind="code", source="df['new'].sum()")
    assert follows_perhaps(reads, raised("KeyError", "'new'"), [Lost(failed)]) is failed
    assert (
        follows_perhaps(Cell(id="b", kind="code", source="other"), raised("KeyError", "'new'"), [Lost(failed)]) is None
    )


def test_names_of_a_function_are_read_when_it_is_called_and_bound_inside_only() -> None:
    names = names_of("def f(a):\n    b = a + outer\n    return b")
    assert (names.binds, "outer" in names.reads, "b" in names.binds) == ({"f"}, True, False)
