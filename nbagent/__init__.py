"""nbagent: an agent that lives in a Jupyter notebook.

Importing this package is instant: it pulls in no HTTP library, no server and no front-end.
"""

from __future__ import annotations

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """Give an IPython shell `%%trial` and `%adopt`: what `%load_ext nbagent` calls."""
    from nbagent.hosts.kernel.magics import load

    load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Take them away again: what `%unload_ext nbagent` calls."""
    from nbagent.hosts.kernel.magics import unload

    unload(shell)
