"""What the user has set, and where: defaults < user file < project < environment < flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError

from nbagent.core.errors import UsageError
from nbagent.core.model import Effort
from nbagent.hosts.folders import settings_file
from nbagent.models.catalog import ModelProfile

_ORDER: dict[str, tuple[str, ...]] = {"approve": ("none", "cells", "all"), "privacy": ("schema", "samples", "outputs")}
_PROJECT = ("effort", "approve", "privacy", "max_requests", "max_tokens", "max_seconds")


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Every setting, checked. `model` is `provider/name`, or a profile's name alone. None is no limit."""

    model: str | None = None
    effort: Effort | None = None
    approve: Literal["none", "cells", "all"] = "all"
    privacy: Literal["schema", "samples", "outputs"] = "outputs"
    readable: tuple[Path, ...] = ()
    max_requests: int | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, gt=0)
    max_seconds: float | None = Field(default=None, gt=0)
    profiles: Mapping[str, ModelProfile] = Field(default_factory=dict)


class Loaded(BaseModel, frozen=True):
    """The settings, and for each one that is set where its value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def load(folder: Path, flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Loaded:
    """Return the settings that hold for a notebook in `folder`; a flag that is None was not given.

    Raises `UsageError` for a file that cannot be read, a value that is wrong, and a project that asks for more access.
    """
    variables = os.environ if environment is None else environment
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    user, project = settings_file(), _project_file(folder)
    for origin, found in (
        (str(user), _table(user)),
        (f"{project} [tool.nbagent]", _own(_table(project)) if project else {}),
        ("environment", _from_environment(variables)),
        ("command line", {name: value for name, value in flags.items() if value is not None}),
    ):
        if project and origin.startswith(str(project)):
            _refuse_more(found, _checked(values, origin), origin)
        values.update(found)
        _checked(values, origin)
        origins.update(dict.fromkeys(found, origin))
    return Loaded(settings=_checked(values, "settings"), origins=origins)


def _checked(values: Mapping[str, object], origin: str) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        says = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise UsageError(f"The setting {where} in {origin} is wrong: {says}.") from None


def _table(path: Path) -> dict[str, JsonValue]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"The settings in {path} cannot be read: {error}.") from error


def _own(table: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    tools = table.get("tool")
    own = tools.get("nbagent") if isinstance(tools, dict) else None
    return own if isinstance(own, dict) else {}


def _project_file(folder: Path) -> Path | None:
    start = folder.absolute()
    return next((one / "pyproject.toml" for one in (start, *start.parents) if (one / "pyproject.toml").is_file()), None)


def _from_environment(variables: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in Settings.model_fields:
        value = variables.get(f"NBAGENT_{name.upper()}", "")
        if value and name != "profiles":
            found[name] = tuple(part for part in value.split(os.pathsep) if part) if name == "readable" else value
    return found


def _refuse_more(found: Mapping[str, object], before: Settings, origin: str) -> None:
    """A project comes with the notebook, perhaps from a stranger: it may only narrow what the user allows."""
    for name, value in found.items():
        if name not in _PROJECT:
            raise UsageError(
                f"{origin} may not set {name}: a project cannot widen access. Set it in {settings_file()}."
            )
        allowed = getattr(before, name)
        order = _ORDER.get(name)
        if order and value in order:
            wider = order.index(str(value)) > order.index(allowed)
        else:
            wider = (
                name.startswith("max_") and allowed is not None and isinstance(value, int | float) and value > allowed
            )
        if wider:
            raise UsageError(
                f"{origin} sets {name} to {value}, which is more than your own setting, {allowed}, allows."
            )
