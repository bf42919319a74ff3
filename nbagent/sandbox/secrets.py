"""Which files hold secrets, by name and place: never readable in any mode but `full`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from pathlib import Path

SYSTEM = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd", "/etc/sudoers",
    "/etc/sudoers.d", "/etc/ssh", "/etc/ssl/private", "/etc/pki/tls/private", "/etc/letsencrypt", "/etc/wireguard",
    "/etc/openvpn", "/etc/ppp", "/etc/krb5.keytab", "/etc/NetworkManager/system-connections", "/etc/kubernetes",
    "/etc/rancher", "/etc/docker", "/etc/containers/auth.json", "/etc/netplan", "/etc/polkit-1", "/etc/jupyter",
    "/etc/.pwd.lock", "/etc/pip.conf",
)  # fmt: skip

_NAMES = (
    ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".kaggle", ".snowflake", ".netrc", "_netrc", ".pypirc",
    ".npmrc", ".yarnrc", ".yarnrc.yml", ".git-credentials", ".databrickscfg", ".pgpass", ".my.cnf", ".mylogin.cnf",
    ".s3cfg", ".boto", ".condarc", ".Renviron", ".bash_history", ".zsh_history", ".python_history", ".psql_history",
    ".mysql_history", ".sqlite_history", ".node_repl_history", ".lesshst", ".mozilla", ".thunderbird",
    ".password-store", ".vault-token", ".terraform.d", ".codex", ".claude", ".ipython", ".jupyter", ".databricks",
    ".config/gcloud", ".config/gh", ".config/hub", ".config/rclone", ".config/pip", ".config/google-chrome",
    ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge", ".config/nbagent", ".config/jupyter_ai",
    ".config/git", ".config/containers", ".config/doctl", ".config/op", ".config/github-copilot",
    ".config/huggingface", ".pip/pip.conf", ".cache/huggingface/token", ".cache/huggingface/stored_tokens",
    ".huggingface/token", ".local/share/nbagent", ".local/state/nbagent", ".local/share/jupyter/runtime",
    ".local/share/keyrings", ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials",
    ".m2/settings.xml", ".gradle/gradle.properties", ".streamlit/secrets.toml", "jupyter_cookie_secret",
    "notebook_cookie_secret", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "application_default_credentials.json",
)  # fmt: skip
_PATTERNS = (".env*", "jpserver-*.json", "nbserver-*.json", "kernel-*-*-*.json")

PROTECTED = (".git", ".hg", ".svn", ".jupyter", ".ipython")
"""Folders (or files) of a workspace that stay as they are even where the rest may be written."""

NEVER_WRITTEN = tuple(
    pattern.lower()
    for pattern in (
        *PROTECTED, *_NAMES, *_PATTERNS, "*.ipynb", ".ipynb_checkpoints", ".gitattributes", ".gitmodules", ".gitconfig",
        ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv",
        ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".config/fish", ".inputrc",
        ".xinitrc", ".xprofile", ".xsession", ".xsessionrc", ".pam_environment", ".pythonrc", ".pythonrc.py",
        ".vimrc", ".exrc", ".emacs", ".config/autostart", ".config/systemd", ".config/environment.d",
        ".vscode", ".idea", ".devcontainer", ".devcontainer.json", ".fleet", ".zed", ".cursor", ".cursorrules",
        ".windsurf", ".windsurfrules", ".mcp.json", "mcp.json", "agents.md", "claude.md", "gemini.md", ".clinerules",
        ".github", ".gitlab-ci.yml", ".pre-commit-config.yaml", ".husky", "sitecustomize.py", "usercustomize.py",
    )
)  # fmt: skip
"""Names, in lower case, that code never changes in a real workspace: secrets, notebooks, and what shells, editors,
agents, git and interpreters obey on their own."""


def find(roots: Iterable[Path], *, at_most: int | None = None) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the secrets below `roots`, what is protected there, and whether all was looked at.

    Secrets are not entered, nor are links followed. `at_most` ends the search after so many names.
    """
    hidden: set[str] = set()
    protected: set[str] = set()
    looked = 0
    for root in roots:
        for path, name, entered in _names(str(root)):
            looked += 1
            if at_most is not None and looked > at_most:
                return tuple(sorted(hidden)), tuple(sorted(protected)), False
            if name in PROTECTED:
                protected.add(path)
            if is_secret(path, name):
                hidden.add(path)
                entered.remove(path)
            elif name == ".git" and path in entered:
                entered.remove(path)
    return tuple(sorted(hidden)), tuple(sorted(protected - hidden)), True


def is_secret(path: str, name: str | None = None) -> bool:
    """Return whether the file or folder at `path` is one that no confined code may read."""
    name = name or os.path.basename(path)
    if name in _WHOLE:
        return True
    if name in _TAILS and any(path.endswith("/" + tail) for tail in _TAILS[name]):
        return True
    if _PATTERN.match(name):
        return not os.path.exists(os.path.join(path, "pyvenv.cfg"))  # `.env` is also a name for virtual environments
    return False


_WHOLE = frozenset(_NAMES)
_PATTERN = re.compile("|".join(translate(pattern) for pattern in _PATTERNS))  # one match: an interpreter has 10^5 files
_TAILS: Mapping[str, tuple[str, ...]] = {
    last: tuple(tail for tail in _NAMES if "/" in tail and tail.rsplit("/", 1)[1] == last)
    for last in {tail.rsplit("/", 1)[1] for tail in _NAMES if "/" in tail}
}


class _ToEnter(list[str]):
    """Folders still to be looked into; taking one out that is not there is fine."""

    def remove(self, path: str) -> None:
        if path in self:
            super().remove(path)


def _names(root: str) -> Iterator[tuple[str, str, _ToEnter]]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        entered = _ToEnter()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                entered.append(entry.path)
            yield entry.path, entry.name, entered
        waiting += entered


def split(root: str, closed: Iterable[str]) -> list[str]:
    """Return the fewest paths that cover `root` without anything in `closed`; Landlock can only allow."""
    shut = set(closed)
    if any(root == path or root.startswith(path.rstrip("/") + "/") for path in shut):
        return []
    below = {path for path in shut if path.startswith(root.rstrip("/") + "/")}
    if not below:
        return [root]
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []
    return [part for name in names for part in split(os.path.join(root, name), below)]
