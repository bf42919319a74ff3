"""Run a module of this folder in any interpreter: `python start.py MODULE ARGUMENT...`, nbagent need not be there.

The folder is loaded as a package under a private name, so that relative imports work and no path is left behind.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

PACKAGE = "_nbagent_inside"


def load_package() -> str:
    """Make this folder importable as the package `_nbagent_inside` and return that name."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != folder]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError("nbagent's files for the inside of an interpreter are missing from %s" % folder)
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return PACKAGE


if __name__ == "__main__":
    name = load_package()
    importlib.import_module("%s.%s" % (name, sys.argv[1])).main(sys.argv[2:])
