"""nbagent: an agent that lives in a Jupyter notebook.

Importing this package is instant: it pulls in no HTTP library, no server and no front-end.
"""

from __future__ import annotations

__version__ = "0.1.0"
