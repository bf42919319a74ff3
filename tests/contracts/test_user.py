"""What `ports.User` promises: cancelling a wait for words loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from nbagent.core.events import Stopped
from nbagent.hosts.headless import Nobody
from nbagent.ports import User
from nbagent.testing import ScriptedUser

Speaking = tuple[User, Callable[[], None]]


@pytest.fixture(params=["scripted", "nobody"])
def user(request: pytest.FixtureRequest) -> Speaking:
    if request.param == "scripted":
        scripted = ScriptedUser()
        return scripted, lambda: scripted.inbox.put_nowait(Stopped())
    nobody = Nobody()
    return nobody, nobody.stop


async def test_a_cancelled_wait_loses_nothing_that_was_said(user: Speaking) -> None:
    port, say = user
    waiting = asyncio.create_task(port.hear())
    await asyncio.sleep(0)
    say()
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert waiting.cancelled()
    async with asyncio.timeout(5):
        assert await port.hear() == Stopped()
