"""The files that a trial wrote, looked at from outside its view when it is over: names and sizes, never contents."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from typing import Optional

_PLACES = (("upper", ""), ("scratch", ""), ("tmp", "/tmp/"), ("vartmp", "/var/tmp/"))
_OWN = frozenset({".home"})
_MOST = 50_000


def written(view: "Optional[int]", scratch: str) -> "set[tuple[str, Optional[int]]]":
    """Return names with sizes, relative to the workspace where they lie there; None stands for a file taken away.

    view: the folder of `LiveBranch.view`; None when the code wrote into the real `scratch`, as without namespaces.
    A view has names of its own from its beginning, closed doors in /tmp: compare with what was there.
    """
    if view is None:
        places = [(scratch, "")]
    else:
        places = [("/proc/self/fd/%d/%s" % (view, name), shown) for name, shown in _PLACES]
    found = ((shown + name, size) for folder, shown in places for name, size in _below(folder))
    return set(itertools.islice(found, _MOST))


def _below(root: str) -> "Iterator[tuple[str, Optional[int]]]":
    waiting = [""]
    while waiting:
        before = waiting.pop()
        try:
            with os.scandir(root + "/" + before) as listing:
                entries = list(listing)
        except OSError:
            continue
        for entry in entries:
            if not before and entry.name in _OWN:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(before + entry.name + "/")
            else:
                # An overlay marks a file that was removed by a character device 0/0 (filesystems/overlayfs.rst).
                gone = stat.S_ISCHR(status.st_mode) and not status.st_rdev
                yield before + entry.name, None if gone else status.st_size
