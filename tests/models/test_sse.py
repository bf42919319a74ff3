"""The event parser: lines end where the standard says, and nowhere else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nbagent.models.sse import EventTooLarge, SentEvent, SseParser

STREAM = (
    "\ufeff: hello\r\nevent: a\r\ndata: {\u2028\u0085}\r\n\r\ndata:1\ndata: 2\n\nid: 3\r\rdata\r\rdata: é😃".encode()
)
EVENTS = [
    SentEvent("a", "{\u2028\u0085}"),
    SentEvent("message", "1\n2"),
    SentEvent("message", ""),
    SentEvent("message", "é😃"),
]


@given(cuts=some.lists(some.integers(0, len(STREAM)), max_size=len(STREAM)))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = sorted({0, len(STREAM), *cuts})
    parser = SseParser()
    events = [event for a, b in itertools.pairwise(places) for event in parser.feed(STREAM[a:b])]
    assert events + parser.end() == EVENTS


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        SseParser(largest=100).feed(b"data: 12345\n" * 50)
    with pytest.raises(EventTooLarge):
        SseParser(largest=100).feed(b"x" * 101)
