"""What confined code can and cannot do, tried for real in every set of layers that this machine offers."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import confined
import pytest

from nbagent.core.errors import UsageError
from nbagent.inside import seccomp
from nbagent.sandbox.access import Access, Layers, Limits, environment
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.probe import attempt, probe

CANDIDATES = {
    "all layers": Layers(namespaces=True, pid=True, landlock=99),
    "no process namespace": Layers(namespaces=True, pid=False, landlock=99),
    "no Landlock": Layers(namespaces=True, pid=True, landlock=0),
    "no namespaces": Layers(namespaces=False, pid=False, landlock=99),
    "no namespaces, ABI 3": Layers(namespaces=False, pid=False, landlock=3),
}
WITH_VIEW = ("all layers", "no process namespace", "no Landlock")

PRELUDE = """
import os, socket, json
def says(what):
    try:
        return repr(what())
    except OSError as error:
        return type(error).__name__
def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
"""


class World:
    """A workspace with a secret and a socket in it, a folder outside, and a way to run code among them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace, self.outside, self.scratch = folder / "ws", folder / "outside", folder / "scratch"
        (self.workspace / ".git").mkdir(parents=True)
        (self.workspace / "sub").mkdir()
        self.outside.mkdir()
        (self.workspace / "data.csv").write_text("a\n1\n")
        (self.workspace / ".env").write_text("TOKEN=honey")
        (self.workspace / ".git" / "config").write_text("[core]\n")
        (self.outside / "private.txt").write_text("private")
        self._sockets = [self._listen(self.workspace / "s"), self._listen(self.outside / "s")]

    @staticmethod
    def _listen(path: Path) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        return server

    def close(self) -> None:
        for server in self._sockets:
            server.close()

    def run(self, layers: Layers, code: str, *, limits: Limits = Limits(), **variables: str) -> str:  # noqa: B008 (frozen)
        access = Access(workspace=self.workspace, scratch=self.scratch, limits=limits)
        policy = access.policy(inspect(Path(sys.executable)), layers)
        names = f"WS, OUT, SCRATCH = {str(self.workspace)!r}, {str(self.outside)!r}, {str(self.scratch)!r}\n"
        done = confined.run(policy, PRELUDE + names + code, folder=self.folder, variables=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(Path(os.path.realpath(tmp_path_factory.mktemp("w"))))
    yield world
    world.close()


def layers_named(name: str) -> Layers:
    wanted = CANDIDATES[name]
    best = probe().layers
    assert best is not None, "nothing can be confined here"
    layers = wanted.model_copy(update={"landlock": min(wanted.landlock, best.landlock)})
    failure = attempt(layers)
    if failure is not None:
        pytest.skip(f"this machine does not have this set of layers: {failure}")
    return layers


every_set = pytest.mark.parametrize("name", CANDIDATES)
with_a_view = pytest.mark.parametrize("name", WITH_VIEW)


@every_set
def test_files_outside_and_secrets_are_refused_as_forbidden_not_as_missing(world: World, name: str) -> None:
    code = """
print(says(lambda: open(OUT + "/private.txt").read()), says(lambda: open(WS + "/.env").read()),
      says(lambda: open(WS + "/data.csv").read()), says(lambda: open(WS + "/absent").read()))
"""
    said = world.run(layers_named(name), code)
    assert said == r"PermissionError PermissionError 'a\n1\n' FileNotFoundError"


@every_set
def test_a_workspace_with_secrets_can_be_listed(world: World, name: str) -> None:
    assert "data.csv" in world.run(layers_named(name), "print(os.listdir(WS))")


@every_set
def test_nothing_outside_is_written_and_git_is_neither_written_nor_swapped(world: World, name: str) -> None:
    code = """
os.chdir(WS)
for attempt in (lambda: open(OUT + "/private.txt", "a"), lambda: open(".git/config", "a"),
                lambda: os.rename(".git", ".git2"), lambda: os.rename(OUT, WS + "/moved"), lambda: open(".env", "a")):
    print(says(attempt))
says(lambda: os.chmod(OUT + "/private.txt", 0)); says(lambda: os.utime(OUT + "/private.txt", (1, 1)))
"""
    before = (world.outside / "private.txt").stat()
    said = world.run(layers_named(name), code).split("\n")
    after = (world.outside / "private.txt").stat()
    assert set(said) <= {"PermissionError", "OSError"}
    assert (before.st_mode, before.st_mtime_ns) == (after.st_mode, after.st_mtime_ns)
    assert (world.workspace / ".git" / "config").read_text() == "[core]\n"


@with_a_view
def test_writes_in_the_workspace_are_seen_inside_and_leave_no_trace(world: World, name: str) -> None:
    code = 'open(WS + "/new.txt", "w").write("x"); os.unlink(WS + "/data.csv"); print(sorted(os.listdir(WS)))'
    assert "new.txt" in world.run(layers_named(name), code)
    assert (world.workspace / "data.csv").exists()
    assert not (world.workspace / "new.txt").exists()


@every_set
def test_no_socket_leads_out(world: World, name: str) -> None:
    code = """
print(says(lambda: connect(WS + "/s")), says(lambda: connect(OUT + "/s")), says(lambda: socket.socket(40)),
      says(lambda: socket.create_connection(("127.0.0.1", PORT), 1)))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        said = world.run(layers_named(name), code.replace("PORT", str(server.getsockname()[1])))
        with pytest.raises(TimeoutError):
            server.accept()
    assert "None" not in said


@every_set
def test_the_environment_is_gone_from_memory_too(world: World, name: str) -> None:
    code = """
with open("/proc/self/environ", "rb") as file:
    print(b"honey" in file.read(), "API_KEY" in os.environ, "PATH" in os.environ)
"""
    assert world.run(layers_named(name), code, API_KEY="honey") == "False False True"


@every_set
def test_no_capability_and_no_setuid_bit_is_to_be_had(world: World, name: str) -> None:
    code = """
path = SCRATCH + "/tool"; open(path, "w").close()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"].strip(), status["Seccomp"].strip(),
      says(lambda: os.chmod(path, 0o4755)), says(lambda: os.open(path + "2", os.O_CREAT, 0o4755)))
"""
    assert world.run(layers_named(name), code) == "0 0 1 2 PermissionError PermissionError"


@every_set
def test_processes_outside_can_be_neither_signalled_nor_read(world: World, name: str) -> None:
    code = f"print(says(lambda: os.kill({os.getpid()}, 0)), says(lambda: open('/proc/{os.getpid()}/environ').read()))"
    said = world.run(layers_named(name), code).split()
    assert set(said) <= {"ProcessLookupError", "PermissionError", "FileNotFoundError"}


@with_a_view
def test_pools_managers_and_a_private_loopback_work(world: World, name: str) -> None:
    code = """
import multiprocessing
context = multiprocessing.get_context("fork")
with context.Pool(2) as pool, context.Manager() as manager:
    kept = manager.dict(zip("ab", pool.map(abs, [-7, 9])))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        print(dict(kept))
"""
    assert world.run(layers_named(name), code) == "{'a': 7, 'b': 9}"


@with_a_view
def test_all_that_is_written_shares_one_bound(world: World, name: str) -> None:
    code = """
def fill(path):
    with open(path, "wb", 0) as file:
        for _ in range(12):
            file.write(bytes(1 << 20))
print(says(lambda: fill(SCRATCH + "/a")), says(lambda: fill("/tmp/b")))
"""
    limits = Limits(disk_mb=16, file_mb=14)
    assert world.run(layers_named(name), code, limits=limits) == "None OSError"


@with_a_view
def test_a_lock_does_not_reach_files_outside(world: World, name: str) -> None:
    import fcntl

    code = """
import fcntl
with open(WS + "/data.csv") as file:
    fcntl.flock(file, fcntl.LOCK_EX); print("locked", flush=True)
"""
    with (world.workspace / "data.csv").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert world.run(layers_named(name), code) == "locked"


@every_set
def test_dangerous_system_calls_do_not_get_through(world: World, name: str) -> None:
    numbers = json.dumps(seccomp._REFUSED)
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print([name for name, number in {numbers}.items() if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1
       or ctypes.get_errno() != 1])
"""
    assert world.run(layers_named(name), code) == "[]"


def test_without_landlock_and_namespaces_nothing_runs(world: World) -> None:
    layers = Layers(namespaces=False, pid=False, landlock=0)
    policy = Access(workspace=world.workspace, scratch=world.scratch).policy(None, layers)
    done = confined.run(policy, "print('ran')", folder=world.folder)
    assert done.returncode == 3
    assert "ran" not in done.stdout.split("\n")


def test_network_and_full_have_no_policy(world: World) -> None:
    for access in (
        Access(workspace=world.workspace, scratch=world.scratch, network=True),
        Access(workspace=world.workspace, scratch=world.scratch, mode="full"),
    ):
        with pytest.raises(UsageError):
            access.policy(None, CANDIDATES["all layers"])


def test_only_listed_variables_pass_and_none_with_credentials_in_a_url() -> None:
    given = {"PATH": "/bin", "OPENAI_API_KEY": "x", "LC_ALL": "C", "SHELL": "https://me:secret@host"}
    assert environment(given) == {"PATH": "/bin", "LC_ALL": "C"}


def test_a_notebook_in_the_home_folder_gets_its_plain_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(os.path.realpath(tmp_path))
    monkeypatch.setenv("HOME", str(home))
    for name in ("a.ipynb", "data.csv", ".env", ".netrc"):
        (home / name).touch()
    (home / "other").mkdir()
    access = Access.for_notebook(home / "a.ipynb", home / "scratch")
    assert access.workspace == access.scratch
    assert access.readable == (home / "a.ipynb", home / "data.csv")


def test_paths_that_cells_name_may_be_read_but_never_secrets(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path))
    for name in ("project/n.ipynb", "data/x.csv", "keys/.ssh/id_rsa"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    sources = ["pd.read_csv('../data/x.csv')", "open('../keys/.ssh/id_rsa')", "open('/')", "%cd '../data'"]
    access = Access.for_notebook(root / "project/n.ipynb", root / "scratch", sources=sources)
    assert access.workspace == root / "project"
    assert access.readable == (root / "data",)
