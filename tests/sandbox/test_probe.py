"""The probe says what was really put in place, and refuses when nothing confines."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagent.core.errors import CannotConfine, ExitCode
from nbagent.sandbox.access import Access, Layers
from nbagent.sandbox.probe import Machine, attempt, probe


def test_what_the_probe_reports_can_be_put_in_place() -> None:
    layers = probe().layers
    assert layers is not None
    assert attempt(layers) is None


def test_a_set_without_file_protection_is_never_put_in_place() -> None:
    assert attempt(Layers(namespaces=False, pid=False, landlock=0)) is not None


def test_a_machine_without_layers_refuses_with_exit_code_3(tmp_path: Path) -> None:
    machine = Machine(layers=None, details=(), refusal="Nothing confines here, so nothing was run.")
    with pytest.raises(CannotConfine, match="nothing was run") as caught:
        machine.require(Access(workspace=tmp_path, scratch=tmp_path))
    assert caught.value.exit_code == ExitCode.CANNOT_CONFINE
