"""Outputs of a trial, shown live where the cell's outputs go; checked, bounded, and not able to act."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Mapping
from typing import Any

from nbagent.hosts.passive import shown
from nbagent.inside.relay import Frame
from nbagent.sandbox.tame import tame

_MOST_TEXT = 2 << 20
_MOST_BYTES = 32 << 20
_FLOOD = 8
_NAME = re.compile(r"^[\w.+-]{1,80}/[\w.+;= -]{1,120}$")
_trials = itertools.count(1)


class Show:
    """Call it with each frame. Front-end state of the user's (displays of other cells, widgets) cannot be reached.

    Raises `OverflowError` when so much comes that going on makes no sense.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._prefix = f"nbagent-trial-{next(_trials)}-"
        self._displays: set[str] = set()
        self._text = self._bytes = 0
        self._told_cut = False
        self.withheld = 0
        """How many displays were shown without a format that could act."""
        self.raised = False

    def __call__(self, frame: Frame) -> None:
        """Show one frame."""
        self._bytes += frame.size
        if self._bytes > _FLOOD * _MOST_BYTES:
            raise OverflowError("it wrote far more output than is kept")
        if self._bytes > _MOST_BYTES and frame.kind != "error":
            self._cut()
        elif frame.kind == "stream":
            self._stream(frame.content)
        elif frame.kind == "clear_output":
            self._shell.display_pub.clear_output(wait=frame.content.get("wait") is True)
        elif frame.kind in ("display_data", "update_display_data", "execute_result"):
            self._display(frame.kind, frame.content)
        elif frame.kind == "error":
            self._error(frame.content)

    def _stream(self, content: Mapping[str, Any]) -> None:
        text = content.get("text")
        if not isinstance(text, str):
            return
        self._text += len(text)
        if self._text > _MOST_TEXT:
            self._cut()
            return
        stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
        stream.write(tame(text))
        stream.flush()

    def _display(self, kind: str, content: Mapping[str, Any]) -> None:
        data, metadata, transient = (content.get(name) for name in ("data", "metadata", "transient"))
        if not isinstance(data, dict) or not all(_NAME.match(name) for name in data):
            return
        safe, left = shown(data)
        self.withheld += left
        if isinstance(safe.get("text/plain"), str):
            safe["text/plain"] = tame(str(safe["text/plain"]))
        update, own = False, {}
        name = transient.get("display_id") if isinstance(transient, dict) else None
        if isinstance(name, str):
            update = kind == "update_display_data" and name in self._displays
            self._displays.add(name)
            own = {"display_id": self._prefix + name[:200]}
        elif kind == "update_display_data":
            return
        sizes = {kind: value for kind, value in _sizes(metadata).items() if kind in safe}
        self._shell.display_pub.publish(safe, sizes, transient=own, update=update)

    def _error(self, content: Mapping[str, Any]) -> None:
        lines = content.get("traceback")
        lines = [tame(str(line)) for line in lines] if isinstance(lines, list) else []
        told = {"ename": tame(str(content.get("ename"))), "evalue": tame(str(content.get("evalue")))}
        self.raised = True
        hook = self._shell.displayhook
        if not hasattr(hook, "pub_socket"):
            print("\n".join(lines))  # a terminal
            return
        sys.stdout.flush()
        sys.stderr.flush()
        topic = hook.topic.replace(b"execute_result", b"error")
        content = {**told, "traceback": lines}
        hook.session.send(hook.pub_socket, "error", content, parent=hook.parent_header, ident=topic)

    def _cut(self) -> None:
        if not self._told_cut:
            self._told_cut = True
            print("\n[nbagent: there is more output than is shown]", file=sys.stderr, flush=True)


def _sizes(metadata: object) -> dict[str, dict[str, int]]:
    """Return what front-ends need to draw pictures at the right size; the rest of the metadata stays behind."""
    found = {}
    for kind, told in metadata.items() if isinstance(metadata, dict) else ():
        if isinstance(told, dict):
            sizes = {name: told[name] for name in ("width", "height") if type(told.get(name)) is int}
            if sizes and min(sizes.values()) > 0 and max(sizes.values()) < 20_000:
                found[kind] = sizes
    return found
