"""Where nbagent keeps what outlives a command: private to the user, outside every notebook's folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from nbagent.core.errors import NbAgentError


def data_folder() -> Path:
    """Return the folder for kept originals, sessions and logs: `NBAGENT_DATA_DIR`, else the platform's own place."""
    return _named("NBAGENT_DATA_DIR") or _platform("data")


def settings_file() -> Path:
    """Return where the user's settings lie (they need not exist): `NBAGENT_CONFIG_FILE`, else the platform's place."""
    return _named("NBAGENT_CONFIG_FILE") or _platform("config") / "settings.toml"


def private_folder(*parts: str) -> Path:
    """Return a folder below the data folder, made if need be, that only the user may enter."""
    folder = data_folder()
    try:
        for part in ("", *parts):
            folder = folder / part
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                synced(folder.parent)
        return folder
    except OSError as error:
        raise NbAgentError(
            f"nbagent cannot keep files in {folder} ({error.strerror}). Make it writable, or name another folder "
            "in NBAGENT_DATA_DIR."
        ) from error


def synced(folder: Path) -> None:
    """Make new names in a folder last through a power cut, where the file system lets a folder be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser().absolute() if value else None


def _platform(kind: str) -> Path:
    import platformdirs  # comes with jupyter-core; imported late because few commands need it

    folder = platformdirs.user_data_path if kind == "data" else platformdirs.user_config_path
    return folder("nbagent", appauthor=False)
