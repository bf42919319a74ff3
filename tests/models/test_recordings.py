"""Every recorded answer is read as an independent reader read it, wherever the network cuts it."""

from __future__ import annotations

from typing import Any

import pytest

from nbagent.models.failures import Fault
from tests.models.recorded import FRAMINGS, MISSING, RECORDINGS, body_of, differences, entries, read, target_of

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=MISSING)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["id"])
def test_a_recorded_answer_is_read_as_it_was_meant(entry: dict[str, Any], framing: str) -> None:
    chunks = FRAMINGS[framing](body_of(entry))
    if entry["expected"]["error"]:
        with pytest.raises(Fault):
            read(target_of(entry), chunks)
        return
    assert differences(entry, read(target_of(entry), chunks)) == []
