"""The lock-down: `enter_namespaces` in the small process above the branches, then `confine` in the first branch.

Both take the policy that `nbagent.sandbox.access.Access.policy` writes: plain JSON values, so that this file needs
nothing but the standard library. The policy says which layers this machine has; a layer that it promises and that fails
raises `ConfinementError`, and the caller must end the process. Code is never run with less than the policy says.

What a policy holds:

    mode         "read-only" or "workspace-write"
    layers       {"namespaces": bool, "pid": bool, "landlock": 0 or the ABI}
    workspace, scratch, cwd      real paths; workspace may be None; scratch exists, is the caller's, and is empty
    system       files and folders of the operating system and the interpreter, shown as they are
    folders      folders of the user that may be read, besides the workspace
    hide         secrets and sockets inside any of these
    protect      what is never written below the workspace, although the rest may be
    read, write  with Landlock alone: the same as path lists split around what is hidden and protected
    environment  {"keep": name patterns, "set": {name: value}}
    limits       `nbagent.sandbox.access.Limits` as a dict
    replace      texts by path: how code sees these files of the workspace (needs namespaces)
    memfd        whether memfd_create works (only to hand results over)
    channel      optional: a folder of the host where sockets that lead out may be made
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, Optional

from . import descriptors, environment, kernel, landlock, limits, mounts, namespaces, seccomp
from .kernel import ConfinementError

__all__ = ["ConfinementError", "confine", "enter_namespaces"]

_DEVICES = tuple("/dev/" + name for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"))
_PRIVATE = ("/tmp", "/var/tmp", "/dev/shm")

Policy = Mapping[str, Any]


def enter_namespaces(policy: Policy) -> "dict[str, Any]":
    """Leave the user's network, IPC, files and processes behind; return what was obtained.

    Call it with one thread, before the first branch is forked, in the process that stays unlocked to reap, kill and
    restore files. Where the policy has a PID namespace the process that returns is a *child* of the caller's, pid 1 of
    the namespace; the calling process never returns: it mirrors the child's end. Afterwards the environment is
    scrubbed, other processes cannot look into this one, and the working directory is the policy's.

    Returns {"namespaces": {...}, "cow": bool, "store": fd, "lower": fd}. With "cow", writes below the workspace land in
    the folder `upper` of `store` (a descriptor of the tmpfs; use /proc/self/fd/N/upper), and `lower` is the real
    workspace, for `commit.write_back`. Both must stay in this process: `confine` closes them in branches.
    Without namespaces in the policy: {"namespaces": {}, "cow": False, "store": None, "lower": None}.
    """
    kernel.refuse_other_machines()
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    limits.go_first()
    layers = policy["layers"]
    result: "dict[str, Any]" = {"namespaces": {}, "cow": False, "store": None, "lower": None}
    if layers["namespaces"]:
        got = namespaces.enter(pid=layers["pid"])
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        got["pids_bounded"] = layers["pid"] and limits.bound_pids(int(policy["limits"]["processes"]))
        view = mounts.build(policy, fresh_proc=layers["pid"], userxattr=got["user"])
        result.update(namespaces=got, cow=view.lower is not None, store=view.store, lower=view.lower)
        _replace_files(policy)
    else:
        os.chdir(policy["cwd"])
    _scrub(policy)
    os.makedirs(os.path.join(policy["scratch"], ".home"), exist_ok=True)  # where caches and settings of tools go
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    return result


def confine(
    policy: Policy, keep_fds: "set[int]", before_filter: "Optional[Callable[[], object]]" = None
) -> "dict[str, Any]":
    """Lock this process and all its descendants down, for good; return a report of the layers.

    Call it once, in the first branch, on its only thread, when everything that is still to be imported from our own
    folder has been imported. `keep_fds` are the descriptors that stay as they are (the channel, and 0, 1, 2).
    `before_filter` is called when all but system calls is confined: a kernel binds its sockets and starts its threads
    there, since without namespaces no socket can be made afterwards.
    """
    kernel.refuse_other_machines()
    layers = policy["layers"]
    if not layers["landlock"] and not layers["namespaces"]:
        raise ConfinementError("neither Landlock nor namespaces: files cannot be confined on this machine")
    try:
        return _confine(policy, keep_fds, before_filter)
    except OSError as error:
        raise ConfinementError("a layer of the sandbox could not be put in place (%s)" % error) from error


def _replace_files(policy: Policy) -> None:
    """Give files in the view of the workspace another text; the files themselves stay as they are."""
    for path, text in policy.get("replace", {}).items():
        with open(path, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            file.write(text)


def _confine(policy: Policy, keep_fds: "set[int]", before_filter: "Optional[Callable[[], object]]") -> "dict[str, Any]":
    layers = policy["layers"]
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # its own /proc/self must be its own again
    removed = _scrub(policy)
    limits.apply(policy["limits"], own_user_namespace=layers["namespaces"] and _in_user_namespace())
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.drop_capabilities()
    held: "dict[str, Any]" = {"abi": 0, "signals": False, "tcp": False}
    if layers["landlock"]:
        held = landlock.restrict(_rules(policy), tcp=layers["namespaces"], at_most=layers["landlock"])
    taken = descriptors.neutralise(keep_fds)
    private = descriptors.make_maps_private()
    if before_filter is not None:
        before_filter()
    rules = seccomp.Rules(
        private_network=layers["namespaces"],
        private_files=layers["namespaces"],
        pid_namespace=layers["pid"],
        signals_scoped=held["signals"],
        memfd=bool(policy.get("memfd")),
    )
    return {
        "landlock": held,
        "environment_removed": removed,
        "descriptors": taken,
        "maps_made_private": private,
        "seccomp": seccomp.install(rules),
    }


def _scrub(policy: Policy) -> int:
    return environment.scrub(policy["environment"]["keep"], policy["environment"]["set"])


def _in_user_namespace() -> bool:
    with open("/proc/self/uid_map") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _rules(policy: Policy) -> "dict[str, list[str]]":
    channel = [policy["channel"]] if policy.get("channel") else []
    if not policy["layers"]["namespaces"]:
        read, write = [*policy["read"], "/proc"], policy["write"]
    else:
        # The view hides what may not be seen, so whole folders may be named here; hidden things are closed doors in it.
        workspace = [policy["workspace"]] if policy["workspace"] else []
        read = [*policy["system"], *policy["folders"], *mounts.SYS_SHOWN, "/proc", "/dev"]
        write = [*workspace, policy["scratch"], *_PRIVATE]
    # Where a folder is split around secrets its names may still be listed, as `ls` and glob need.
    listed = policy["folders"] + ([policy["workspace"]] if policy["workspace"] else [])
    return {"read": read, "write": write, "device": list(_DEVICES), "channel": channel, "list": listed}
