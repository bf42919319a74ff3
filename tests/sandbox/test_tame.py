"""What confined code prints never commands the terminal that shows it."""

from __future__ import annotations

import json

import pytest

from nbagent.core.outputs import Display, Raised, StreamText
from nbagent.sandbox.collect import Collector

ORDERS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "hyperlink": "\x1b]8;;http://127.0.0.1\x1b\\here",
    "query": "\x1b[6n",
    "device string": "\x1bP$q\x1b\\",
    "alternate screen": "\x1b[?1049h",
    "eight-bit form": "\x9b6n",
    "endless parameters": "\x1b[" + "1;" * 4000 + "m",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_orders_to_a_terminal_become_words_wherever_they_are_put(order: str) -> None:
    collector = Collector(1 << 20, mark=True)
    collector.text("stdout", order)
    collector.message("display_data", {"data": {"text/plain": order}, "metadata": {}})
    collector.message("error", {"ename": order, "evalue": order, "traceback": [order]})
    for output in collector.outputs():
        words = json.dumps(output.model_dump(mode="json"), ensure_ascii=True)
        assert "\\u001b" not in words
        assert "\\u009b" not in words


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_order_in_two_pieces_is_none_either(cut: int) -> None:
    collector = Collector(1 << 20, mark=True)
    order = ORDERS["title"]
    collector.text("stdout", order[:cut])
    collector.text("stdout", order[cut:])
    (output,) = collector.outputs()
    assert isinstance(output, StreamText)
    assert "\x1b" not in output.text


def test_colours_and_progress_bars_stay() -> None:
    collector = Collector(1 << 20, mark=True)
    text = "\x1b[1;31mred\x1b[0m \r50%\x1b[K\n\x1b[A\x1b[38;5;208mbar\x1b[39m naïve 数"
    collector.text("stdout", text)
    collector.message("display_data", {"data": {"text/plain": text, "text/html": "<b>\x1b</b>"}, "metadata": {}})
    collector.message("error", {"ename": "E", "evalue": "v", "traceback": [text]})
    stream, display, raised = collector.outputs()
    assert isinstance(stream, StreamText)
    assert isinstance(display, Display)
    assert isinstance(raised, Raised)
    assert (stream.text, display.data["text/plain"], raised.traceback) == (text, text, (text,))
