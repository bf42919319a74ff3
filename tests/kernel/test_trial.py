"""`%%trial` in a real kernel: everything is shown, nothing happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .live import Kernel

AS_BEFORE = "your kernel is as before"


def test_the_extension_loads_in_an_instant_and_brings_no_heavy_library(kernel: Kernel) -> None:
    loaded = kernel.run(
        "import subprocess, sys\n"
        "code = '''import time, IPython.core.interactiveshell as i, sys\n"
        "shell = i.InteractiveShell.instance()\n"
        "begun = time.perf_counter()\n"
        'shell.run_line_magic("load_ext", "nbagent")\n'
        'print(time.perf_counter() - begun, [m for m in ("httpx", "pydantic", "jupyter_server") if m in sys.modules])'
        "'''\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)"
    )
    seconds, modules = loaded.stdout.split(maxsplit=1)
    assert float(seconds) < 0.15
    assert modules.strip() == "[]"


def test_outputs_appear_where_the_cells_outputs_go(kernel: Kernel) -> None:
    reply = kernel.run(
        "%%trial\n"
        "import sys, ctypes\nfrom IPython.display import display\n"
        "print('to stdout')\nprint('to stderr', file=sys.stderr)\n"
        "ctypes.CDLL(None).puts(b'from C')\n"
        "!echo from a shell\n"
        "import asyncio; await asyncio.sleep(0); print('awaited')\n"
        "handle = display('first', display_id='mine'); handle.update('second')\n"
        "pd.DataFrame({'a': [1]})"
    )
    assert reply.status == "ok"
    for text in ("to stdout", "from C", "from a shell", "awaited"):
        assert text in reply.stdout
    assert reply.stderr == "to stderr\n"
    assert reply.shown == ["'first'", "'second'", "   a\n0  1"]
    assert "<table" in reply.displays[2]["text/html"]
    assert reply.ids[0] == reply.ids[1] != "mine"  # a display of the user's own with that name stays as it is
    assert "update_display_data" in reply.kinds


def test_pictures_cleared_outputs_and_old_log_handlers_work(kernel: Kernel) -> None:
    kernel.run("import logging; logging.getLogger('old').addHandler(logging.StreamHandler(sys.stderr))")
    reply = kernel.run(
        "%%trial\nlogging.getLogger('old').warning('heard')\n"
        "from IPython.display import clear_output\nclear_output()\n"
        "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])"
    )
    assert reply.stderr == "heard\n"
    assert "clear_output" in reply.kinds
    assert any("image/png" in data for data in reply.displays)


def test_what_code_raises_is_shown_and_the_cells_after_it_run(kernel: Kernel) -> None:
    reply = kernel.run("%%trial\n1 / 0")
    assert reply.errors == [("ZeroDivisionError", "division by zero")]
    assert reply.status == "ok"
    assert f"raised ZeroDivisionError; {AS_BEFORE}" in reply.account


def test_the_change_of_state_is_told_and_does_not_happen(kernel: Kernel, folder: Path) -> None:
    kernel.run("x, gone, items, table = 1, 5, [1], pd.DataFrame({'a': [1, 2]}); array = np.zeros(2_000_000)")
    reply = kernel.run(
        "%%trial\nx = 2\ndel gone\nitems.append(2)\ntable['b'] = [1.5, None]\narray[5] = 1\nnew = table * 2\n"
        "open('out.csv', 'w').write('abc')"
    )
    told = {tuple(line.split()[:3] if "in place" in line else line.split()[:2]) for line in reply.account.splitlines()}
    expected = {("new", "new"), ("rebound", "x"), ("deleted", "gone"), ("writes", "out.csv")}
    assert expected | {("in", "place", name) for name in ("items", "table", "array")} <= told
    assert "DataFrame 2 x 1, 0 nulls" in reply.account
    assert "DataFrame 2 x 2, 1 nulls" in reply.account
    assert kernel.value("x, gone, items, list(table), array[5], 'new' in dir()") == "1 5 [1] ['a'] 0.0 False"
    assert not (folder / "out.csv").exists()


def test_a_kernel_is_left_as_it_was(kernel: Kernel) -> None:
    kernel.run("%%trial\n1")
    kernel.run(
        "import signal, asyncio, psutil\n"
        "def descriptors():\n"
        "    names = [f'/proc/self/fd/{each}' for each in os.listdir('/proc/self/fd')]\n"
        "    targets = [os.readlink(name) for name in names if os.path.lexists(name)]\n"
        "    return sorted(each for each in targets if 'profile_default' not in each)  # a thread saves history"
    )
    look = (
        "(descriptors(), len(psutil.Process().children(recursive=True)), os.getcwd(), "
        "signal.getsignal(signal.SIGINT), sorted(os.environ), get_ipython().history_manager.enabled, "
        "type(sys.stdout).__name__, sys.stdout.write.__qualname__, id(asyncio.get_event_loop()))"
    )
    before = kernel.value(look)
    kernel.run("%%trial\nos.environ['A'] = '1'\nos.chdir('/')\nprint(1)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert kernel.value(look) == before


def test_a_trial_is_as_random_as_the_cell_would_be(kernel: Kernel) -> None:
    kernel.run("import random; random.seed(1); np.random.seed(1)")
    tried = kernel.run("%%trial\nprint(random.random(), np.random.random())").stdout
    assert kernel.run("print(random.random(), np.random.random())").stdout == tried


def test_refusals_are_counted_with_the_option_that_would_allow_them(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "far.csv").write_text("a\n1\n")
    reply = kernel.run(
        "%%trial\nimport urllib.request\n"
        "for attempt in range(3):\n    try:\n        urllib.request.urlopen('http://nbagent.invalid')\n"
        "    except OSError:\n        pass\n"
        f"try:\n    open({str(tmp_path / 'far.csv')!r})\nexcept PermissionError:\n    print('refused')\n"
        "try:\n    open('.env')\nexcept PermissionError:\n    print('hidden')\n"
        "print(os.environ.get('SECRET_TOKEN'))"
    )
    assert reply.stdout == "refused\nhidden\nNone\n"
    assert re.search(r"refused +network nbagent.invalid +3 times", reply.account)
    assert f"--readable {tmp_path} would allow it" in reply.account
    allowed = kernel.run(f"%%trial --readable {tmp_path}\nprint(open({str(tmp_path / 'far.csv')!r}).read())")
    assert allowed.stdout == "a\n1\n\n"


def test_an_interrupt_ends_the_trial_and_not_the_kernel(kernel: Kernel) -> None:
    kernel.run("survivor = 1")
    reply = kernel.run("%%trial\nprint('begun', flush=True)\nwhile True: pass", interrupt_when="begun")
    assert reply.status == "error"
    assert f"You interrupted the trial; {AS_BEFORE}" in reply.account
    assert kernel.value("survivor") == "1"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os._exit(7)", "it left with exit status 7"),
        ("import os; os._exit(0)", "it left with exit status 0"),
        ("import ctypes; ctypes.string_at(0)", "segmentation fault"),
        ("import os; os.abort()", "it crashed"),
        ("exit()", "The code asked to exit"),
        ("import sys; sys.exit(3)", "raised SystemExit"),
        ("input('name? ')", "raised StdinNotImplementedError"),
        ("import getpass; getpass.getpass()", "raised StdinNotImplementedError"),
        ("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()", "wait for each other"),
        ("import os\nwhile True: os.fork()", "processes and threads"),
        ("while True: print('x' * 100_000)", "far more output than is kept"),
        ("np.ones(10**12)", "raised MemoryError"),
        ("def f(): f()\nf()", "raised RecursionError"),
        ("await there", "raised "),
        ("%%trial\n1", "raised NotTried"),
        ("x = = 1", "raised SyntaxError"),
    ],
)
def test_bad_code_costs_one_sentence(kernel: Kernel, code: str, sentence: str) -> None:
    kernel.run("survivor = os.getpid(); import asyncio; there = asyncio.get_event_loop().create_future()")
    reply = kernel.run("%%trial --timeout 30\n" + code)
    first = reply.account.splitlines()[0]
    assert sentence in first
    assert AS_BEFORE in first
    assert kernel.value("survivor == os.getpid()") == "True"


def test_time_and_memory_are_bounded(kernel: Kernel) -> None:
    slow = kernel.run("%%trial --timeout 0.5\nwhile True: pass")
    assert "it ran longer than 0.5 s" in slow.account
    assert "--timeout" in slow.account
    large = kernel.run("%%trial --memory 100\nnp.ones(50_000_000)")
    assert "raised MemoryError" in large.account
    kernel.run("kept = np.ones(60_000_000)")
    rewritten = kernel.run("%%trial --memory 200\nkept[:] = 2\nimport time; time.sleep(60)")
    assert "more than 200 MB of memory" in rewritten.account
    assert kernel.value("kept[0]") == "1.0"
    kernel.run("del kept")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--bogus", "does not know '--bogus'"),
        ("--timeout soon", "--timeout takes a number of seconds"),
        ("--memory", "--memory needs a value"),
        ("--readable /no/such/folder", "There is no /no/such/folder"),
        ("--readable ~/.ssh", ".ssh"),
    ],
)
def test_a_wrong_first_line_is_said_and_nothing_is_run(kernel: Kernel, line: str, sentence: str) -> None:
    reply = kernel.run(f"%%trial {line}\nprint('ran')")
    assert reply.status == "error"
    assert sentence in reply.stderr + str(reply.errors)
    assert reply.stdout == ""


BUSY = (
    "import threading\nstop = threading.Event(); matrix = np.random.default_rng(0).random((1500, 1500))\n"
    "def work():\n    while not stop.is_set(): matrix @ matrix\n"
    "worker = threading.Thread(target=work, name='busy'); worker.start()"
)


def test_where_a_fork_could_stop_the_kernel_a_fresh_process_gets_copies(kernel: Kernel, folder: Path) -> None:
    kernel.run("table, items = pd.DataFrame({'a': [1, 2]}), [1]\nfactor = 3")
    kernel.run("def scaled(frame):\n    return frame * factor")
    kernel.run(BUSY)
    code = "items.append(2)\nprint('tried')\nlarger = scaled(table)\nopen('made.csv', 'w').write('x')\nlarger"
    try:
        reply = kernel.run("%%trial\n" + code)
        state = kernel.value("items, 'larger' in dir()")
        raised = kernel.run("%%trial\n1 / 0")
        stopped = kernel.run("%%trial\nprint('begun', flush=True)\nwhile True: pass", interrupt_when="begun")
    finally:
        kernel.run("stop.set(); worker.join()")
    assert reply.stdout == "tried\n"
    assert reply.shown == ["   a\n0  3\n1  6"]
    told = reply.account
    assert "because the thread 'busy' may be computing in native code" in told
    assert "a fresh process ran it with copies of factor, items, table and 1 cell run again" in told
    assert re.search(r"in place +items", told)
    assert re.search(r"new +larger", told)
    assert re.search(r"writes +made.csv", told)
    assert state == "[1] False"
    assert not (folder / "made.csv").exists()
    assert raised.errors == [("ZeroDivisionError", "division by zero")]
    assert "You interrupted the trial" in stopped.account
    assert kernel.run("%%trial\nprint('ran')").stdout == "ran\n"


def test_what_can_neither_be_forked_nor_copied_is_refused_with_both_reasons(kernel: Kernel) -> None:
    kernel.run(BUSY)
    kernel.run("import socket\nglobals().update(unmade=socket.socket())")
    try:
        reply = kernel.run("%%trial\nunmade.fileno()")
    finally:
        kernel.run("stop.set(); worker.join(); unmade.close()")
    assert reply.status == "error"
    assert "the thread 'busy' may be computing in native code" in reply.errors[0][1]
    assert "unmade can neither be copied, nor is the cell known that made it" in reply.errors[0][1]
    assert AS_BEFORE in reply.errors[0][1]


def test_no_process_survives_a_trial(kernel: Kernel) -> None:
    kernel.run(
        "%%trial\nimport subprocess\n"
        "subprocess.Popen(['sleep', '4711'], start_new_session=True)\nos.fork() or os.setsid() or os.fork()"
    )
    kernel.until("len(psutil.Process().children(recursive=True)) == 1")  # the one that knows the rules
    assert (
        kernel.run("import subprocess; print(subprocess.run(['pgrep', '-f', 'sleep 4711']).returncode)").stdout == "1\n"
    )
