"""What a model reads of outputs: within a budget, compact, without what the level withholds."""

from __future__ import annotations

import pytest

from nbagent.core.model import Image, Part, Text
from nbagent.core.outputs import (
    Display,
    Execution,
    NameChange,
    Output,
    Raised,
    Refusal,
    Result,
    StateChange,
    StreamText,
)
from nbagent.core.results import account, capped, measure, outputs, traceback
from nbagent.core.shorten import tokens

PICTURE = Display(data={"image/png": "aGk=\n", "text/plain": "<Figure size 1x1>"})
SEEN = Image(media_type="image/png", data="aGk=", alt="<Figure size 1x1>")
FRAME = """<style>th { color: red }</style><table><thead><tr><th></th><th>name</th><th>n &amp; m</th></tr></thead>
<tbody><tr><th>0</th><td>Ann</td><td>3</td></tr>
 <tr><th>1</th><td>Bob</td><td>4</td></tr></tbody></table><p>2 rows &times; 2 columns</p>"""
TABLE = Result(data={"text/html": FRAME, "text/plain": "  name\n0 Ann\n1 Bob\n\n[2 rows x 2 columns]"})
ERROR = Raised(
    ename="KeyError",
    evalue="'Ann'",
    traceback=(
        "\x1b[0;31m------\x1b[0m",
        "KeyError   Traceback (most recent call last)",
        "File pandas/core/indexes.py:10, in get(self, key)\n      9 try:\n---> 10     raise KeyError(key)",
        "Cell In[3], line 2\n      1 x = 1\n----> 2 df['Ann']",
        "KeyError: 'Ann'",
    ),
)


def texts(parts: tuple[Part, ...]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Text)]


def printed(text: str, name: str = "stdout") -> StreamText:
    return StreamText.model_validate({"name": name, "text": text})


def test_outputs_keep_their_order_and_cut_streams_are_joined() -> None:
    shown = (printed("a"), printed("b\n"), printed("e", "stderr"), PICTURE, printed(" \n"), printed("c"))
    assert outputs(shown, "outputs", 100) == (Text(text="ab\n"), Text(text="e"), SEEN, Text(text=" \nc"))
    assert outputs((printed(" \n"),), "outputs", 100) == ()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text/plain": "42"}, "42"),
        ({"text/plain": ["4\n", "2"]}, "4\n2"),
        ({"text/markdown": "*a*", "text/plain": "<Markdown>"}, "*a*"),
        ({"text/latex": "$x$"}, "$x$"),
        ({"text/html": "<p>Hello <b>you</b>&amp;me</p>"}, "Hello you &me"),
        ({"application/vnd.plotly.v1+json": {}, "a/b": 1}, "[a/b, application/vnd.plotly.v1+json]"),
        ({}, "[nothing]"),
        (TABLE.data, "| name | n & m\n0 | Ann | 3\n1 | Bob | 4\n2 rows \u00d7 2 columns"),
    ],
)
def test_rich_output_is_read_in_its_most_compact_form(data: dict[str, object], text: str) -> None:
    assert outputs((Result.model_validate({"data": data}),), "outputs", 100) == (Text(text=text),)


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("samples", ["[image/png picture withheld: privacy level samples]"]),
        ("schema", ["[image/png picture withheld: privacy level schema]"]),
    ],
)
def test_pictures_stay_here_below_the_highest_level(level: str, told: list[str]) -> None:
    assert texts(outputs((PICTURE,), level, 100)) == told  # type: ignore[arg-type]


def test_the_lowest_level_tells_kind_and_size_of_text_alone() -> None:
    shown = (printed("Ann\nBob\n"), TABLE, ERROR)
    assert texts(outputs(shown, "schema", 1000)) == [
        "[stdout withheld: 8 characters, 2 lines; privacy level schema]",
        "[table withheld: 57 characters, 4 lines; privacy level schema]",
        "Cell In[3], line 2\nKeyError: [message withheld: 5 characters; privacy level schema]",
    ]
    assert traceback(Raised(ename="KeyboardInterrupt", evalue=""), "schema") == "KeyboardInterrupt"


def test_long_texts_share_the_limit_and_say_how_to_get_the_rest() -> None:
    parts = texts(outputs((printed("x" * 4000), TABLE, printed("y" * 4000)), "outputs", 120, "print less"))
    assert sum(map(tokens, parts)) <= 120
    assert "tokens cut; print less ...]" in parts[0]
    assert parts[1].startswith("| name | n & m")


def test_a_traceback_shows_the_cells_frames_whole_and_one_line_of_a_library() -> None:
    assert traceback(ERROR, "outputs").splitlines() == [
        "File pandas/core/indexes.py:10, in get(self, key)",
        "Cell In[3], line 2",
        "      1 x = 1",
        "----> 2 df['Ann']",
        "KeyError: 'Ann'",
    ]


def test_an_account_says_how_it_ended_what_it_showed_and_what_it_changed() -> None:
    done = Execution(
        status="ok",
        outputs=(printed("hi\n"), PICTURE),
        seconds=1.25,
        state=StateChange(
            names=(
                NameChange(name="df", change="rebound", before="DataFrame 3 x 2", after="DataFrame 3 x 3"),
                NameChange(name="n", change="new", after="int"),
                NameChange(name="t", change="deleted"),
            ),
            files=("out.csv",),
        ),
    )
    assert account(done, "outputs", 1000) == (
        Text(text="hi\n"),
        SEEN,
        Text(
            text="[ok, 1.2 s]\nVariables: df rebound (DataFrame 3 x 2 -> DataFrame 3 x 3); n new (int); t deleted\n"
            "Files it would write: out.csv"
        ),
    )


def test_an_account_tells_an_exception_once_and_what_was_refused() -> None:
    done = Execution(
        status="raised",
        outputs=(printed("a"), ERROR),
        error=ERROR.model_copy(update={"traceback": ()}),
        refusals=(
            Refusal(what="read", target="/data", allow_with="--readable /data"),
            Refusal(what="network", target="example.org:443"),
        ),
        state=StateChange(),
    )
    assert texts(account(done, "outputs", 1000)) == [
        "a",
        "[raised, 0.0 s]\nKeyError: 'Ann'\n"
        "The sandbox refused: read /data; the user can allow it with --readable /data. It is not missing or broken.\n"
        "The sandbox refused: network example.org:443. It is not missing or broken.",
    ]


def test_an_end_at_a_limit_is_told_with_its_cause() -> None:
    done = Execution(status="limited", detail="it used 4 GB of memory", seconds=3.0)
    assert texts(account(done, "outputs", 100)) == ["[limited, 3.0 s] Stopped at a limit. it used 4 GB of memory"]


def test_many_files_are_counted() -> None:
    done = Execution(status="ok", state=StateChange(files=tuple(f"f{n}" for n in range(23))))
    assert texts(account(done, "outputs", 1000))[0].endswith("f18, f19 and 3 more")


def test_an_account_fits_its_limit_whatever_it_holds() -> None:
    error = Raised(ename="E", evalue="v" * 9000, traceback=("Cell In[1], line 1\n" + "x" * 9000,))
    done = Execution(status="raised", error=error, outputs=(printed("o" * 9000), printed("e" * 9000, "stderr")))
    assert sum(map(tokens, texts(account(done, "outputs", 400)))) <= 400


def test_a_whole_result_is_capped_in_text_and_pictures() -> None:
    small = (Text(text="a"), SEEN)
    assert capped(small, 100) == small
    pictures = tuple(SEEN.model_copy(update={"alt": str(n)}) for n in range(10))
    assert capped((*pictures, Text(text="a")), 100) == (
        *pictures[:8],
        Text(text="a"),
        Text(text="[2 more pictures left out: show fewer at once]"),
    )
    long = capped((Text(text="x" * 4000), *pictures, Text(text="y" * 4000)), 100)
    assert sum(map(tokens, texts(long)[:2])) <= 100
    assert len(long) == 11


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ((printed("a\n"), printed("b")), "stdout 2 lines"),
        ((printed("a\n"),), "stdout 1 line"),
        ((ERROR, PICTURE), "error KeyError, picture"),
        ((TABLE,), "table 2 x 2"),
        ((Result(data={"text/html": "<table>", "text/plain": "a\nb"}),), "table 2 lines"),
        ((Result(data={"text/html": "<table>"}),), "table"),
        ((Result(data={"text/plain": "42"}),), "text 1 line"),
    ],
)
def test_stored_outputs_are_measured_without_their_content(shown: tuple[Output, ...], told: str) -> None:
    assert measure(shown) == told
