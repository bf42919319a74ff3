"""`%%trial` and `%adopt` in a live kernel or a plain IPython: what `%load_ext nbagent` gives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nbagent.hosts.kernel.adviser import Adviser, NoAnswer
from nbagent.inside import asked

if TYPE_CHECKING:
    from nbagent.hosts.kernel.trials import Tried

_ATTRIBUTE = "_nbagent"


class TrialMagics:
    """The magics of one shell, and the last trial."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._adviser = Adviser()
        self._last: Tried | None = None

    def load(self) -> None:
        """Register the magics, answer who asks from outside, and bring up what the first trial needs."""
        asked.install(self._shell)
        self._shell.register_magic_function(self.trial, "cell", "trial")
        self._shell.register_magic_function(self.adopt, "line", "adopt")
        try:
            self._adviser.start()
        except NoAnswer:
            return  # the first trial says why

    def unload(self) -> None:
        """Take the magics away again."""
        for kind, name in (("cell", "trial"), ("line", "adopt")):
            self._shell.magics_manager.magics[kind].pop(name, None)
        asked.remove(self._shell)
        self._forget()
        self._adviser.close()

    def trial(self, line: str, cell: str) -> None:
        """Try the cell on a copy of this kernel: its outputs and what it would change are shown, and nothing changes.

        %%trial [--timeout SECONDS] [--memory MB] [--readable DIR]...

        The copy sees all variables, reads the notebook's folder, and reaches no network and no other files but those
        of --readable; what it writes is thrown away. %adopt brings its new variables over.
        """
        # Not imported with the extension, which must load in an instant.
        from nbagent.hosts.kernel import account
        from nbagent.hosts.kernel.options import parsed
        from nbagent.hosts.kernel.trials import Interrupted, NotTried, try_cell

        options = parsed(line)
        if os.environ.get("NBAGENT_SANDBOX"):
            raise NotTried("A trial cannot start another one. Run the code of the inner one in it as it is.")
        self._forget()
        self._last = try_cell(self._shell, self._adviser, cell, options)
        told = self._last.account
        self._shell.display_pub.publish({"text/plain": account.text(told), "text/html": account.markup(told)})
        if self._last.interrupted:
            raise Interrupted

    def adopt(self, line: str) -> None:
        """Bring the last trial's new and rebound variables into this kernel, without running its code again.

        %adopt [NAME...]    all that can be brought over, or those that are named
        %adopt --run        run the trial's code for real instead, with your rights
        """
        from nbagent.hosts.kernel.adoption import adopted

        if self._last is None:
            raise UsageError("There is no trial to adopt. Run a cell with %%trial first.")
        words = line.split()
        if words == ["--run"]:
            self._run_for_real(self._last.source)
            return
        if any(word.startswith("-") for word in words):
            raise UsageError(f"%adopt takes names of variables, or --run, not {line.strip()!r}. Nothing was adopted.")
        print(adopted(self._shell.user_ns, self._last, words))

    def _run_for_real(self, source: str) -> None:
        if self._awaits(source):
            self._shell.set_next_input(source)
            print("The code awaits, so it was put into a new cell: run that one.")
            return
        self._shell.run_cell(source, store_history=False)

    def _awaits(self, source: str) -> bool:
        try:
            transformed = self._shell.transform_cell(source)
        except SyntaxError:
            return False
        return bool(self._shell.should_run_async(source, transformed_cell=transformed))

    def _forget(self) -> None:
        if self._last is not None:
            self._last.forget()
            self._last = None


def load(shell: Any) -> None:
    """Give a shell the magics; loading again starts afresh."""
    unload(shell)
    magics = TrialMagics(shell)
    magics.load()
    setattr(shell, _ATTRIBUTE, magics)


def unload(shell: Any) -> None:
    """Take the magics away, if they are there."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if isinstance(magics, TrialMagics):
        magics.unload()
        setattr(shell, _ATTRIBUTE, None)
