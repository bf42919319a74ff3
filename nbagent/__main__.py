"""`python -m nbagent` is the `nbagent` command."""

from __future__ import annotations

import sys

from nbagent.hosts.cli import main

sys.exit(main())
