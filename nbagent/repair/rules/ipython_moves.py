"""Moved names of IPython, and of the projects that were split off from it."""

from __future__ import annotations

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.rule import Example

MODULES = {
    "IPython.html.widgets": "ipywidgets",
    "IPython.html": "notebook",
    "IPython.nbconvert": "nbconvert",
    "IPython.nbformat": "nbformat",
    "IPython.parallel": "ipyparallel",
    "IPython.config": "traitlets.config",
    "IPython.utils.traitlets": "traitlets",
    "IPython.kernel": "jupyter_client",
    "IPython.qt": "qtconsole",
    "IPython.core.display": "IPython.display",
}
"""https://ipython.readthedocs.io/en/stable/whatsnew/version4.html, "The Big Split"."""
NAMES = {
    "IPython.display.set_matplotlib_formats": "matplotlib_inline.backend_inline.set_matplotlib_formats",
    "IPython.display.set_matplotlib_close": "matplotlib_inline.backend_inline.set_matplotlib_close",
    "IPython.core.display.set_matplotlib_formats": "matplotlib_inline.backend_inline.set_matplotlib_formats",
    "IPython.core.pylabtools.set_matplotlib_formats": "matplotlib_inline.backend_inline.set_matplotlib_formats",
    "IPython.core.pylabtools.set_matplotlib_close": "matplotlib_inline.backend_inline.set_matplotlib_close",
    "IPython.html.widgets": "ipywidgets",
    "IPython.utils.path.get_ipython_dir": "IPython.paths.get_ipython_dir",
    "IPython.core.display.display": "IPython.display.display",
    "IPython.utils.traitlets": "traitlets",
    "IPython.nbformat.current": "nbformat",
    "IPython.lib.passwd": "jupyter_server.auth.passwd",
    "IPython.utils.warn.warn": "warnings.warn",
}


class MovedIPythonName(MovedNames):
    """Imports names of IPython from where they are now: `IPython.html.widgets`, `IPython.core.display.display`."""

    code = "IPY001"
    name = "moved-ipython-name"
    source = "https://ipython.readthedocs.io/en/stable/whatsnew/"
    roots = ("IPython",)
    moves = Moves(MODULES, NAMES)
    examples = (
        Example(
            before="from IPython.core.display import display, HTML",
            after="from IPython.display import display, HTML",
            ename="ImportError",
            evalue="cannot import name 'display' from 'IPython.core.display' (IPython/core/display.py)",
            needs=("IPython",),
        ),
        Example(
            before="from IPython.display import set_matplotlib_formats\nset_matplotlib_formats('svg')",
            after="from matplotlib_inline.backend_inline import set_matplotlib_formats\nset_matplotlib_formats('svg')",
            ename="ImportError",
            evalue="cannot import name 'set_matplotlib_formats' from 'IPython.display' (IPython/display.py)",
            needs=("IPython", "matplotlib"),
        ),
    )
