"""Draws docs/repair.svg, the README's picture: what `nbagent repair` prints on a terminal, nothing retouched.

Run it with `make picture` when the look of the program changes.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
COLUMNS = 118
COMMAND = "nbagent repair survey-out-of-order.ipynb"


def printed(folder: Path) -> str:
    """Run the command on a terminal of its own, and return what stands there at the end."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", *COMMAND.split()]
    with subprocess.Popen(command, cwd=folder, stdout=end, stderr=end, env={**os.environ, "COLUMNS": str(COLUMNS)}):
        os.close(end)
        written = bytearray()
        try:
            while chunk := os.read(terminal, 65536):
                written += chunk
        except OSError:  # Linux ends a terminal whose other side is closed with EIO
            pass
    lines = written.decode().replace("\r\n", "\n").split("\n")
    return "\n".join(re.split(r"\r|\x1b\[K", line)[-1] for line in lines).strip("\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(shutil.copytree(HERE.parent / "example-notebooks", Path(made) / "examples"))
        shown = printed(folder)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(f"\x1b[1m$ {COMMAND}\x1b[0m\n{shown}"), soft_wrap=False)
    drawing = console.export_svg(title="nbagent", theme=DIMMED_MONOKAI)
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)  # a page's image may load nothing
    (HERE / "repair.svg").write_text(drawing.replace("Fira Code,", ""), "utf-8")


if __name__ == "__main__":
    main()
