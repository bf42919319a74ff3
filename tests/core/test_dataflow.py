"""What cells read and make, and which cells follow from which."""

from __future__ import annotations

import pytest

from nbagent.core.cells import Cell
from nbagent.core.dataflow import Flow, dependents, flow, same_definitions, stale


def names(source: str) -> tuple[str, str, str, str]:
    found = flow(source)
    reads, writes, mutates, imports = (
        " ".join(sorted(each)) for each in (found.reads, found.writes, found.mutates, found.imports)
    )
    return reads, writes, mutates, imports


@pytest.mark.parametrize(
    ("source", "reads", "writes", "mutates"),
    [
        ("y = x + 1", "x", "y", ""),
        ("x = 1\ny = x", "", "x y", ""),
        ("x += 1", "x", "x", ""),
        ("x = 0\nx += n", "n", "x", ""),
        ("d['k'] += n", "d n", "", "d"),
        ("x: int = n\ny: int", "n", "x", ""),
        ("a, (b, *c) = [d.e] = f", "d f", "a b c", "d"),
        ("d['k'] = v\no.a.b = v", "d o v", "", "d o"),
        ("f()['k'] = v", "f v", "", ""),
        ("del x, d['k']", "d", "x", "d"),
        ("df.sort_values('a', inplace=True)", "df", "", "df"),
        ("print(x)", "print x", "", ""),
        ("x", "x", "", ""),
        ("for i, o.last in items:\n    use(i)\nelse:\n    end = i", "items o use", "end i", "o"),
        ("async for i in items:\n    use(i)", "items use", "i", ""),
        ("with open(p) as f:\n    t = f.read()", "open p", "f t", ""),
        ("try:\n    a\nexcept E as error:\n    b", "E a b", "error", ""),
        ("match x:\n    case [y, *z]: pass\n    case {'k': v, **rest}: pass", "x", "rest v y z", ""),
        ("match x:\n    case P() | _: pass", "P x", "", ""),
        ("match x:\n    case {'k': 1} | [*_]: pass", "x", "", ""),
        ("def f(a: T = d, *, k=e) -> int:\n    return a + g", "T d e g", "f", ""),
        ("@deco\nasync def f():\n    global n\n    n = 1", "deco", "f", "n"),
        ("@deco\nclass A(B, metaclass=M):\n    c = g\n    def m(self):\n        return h", "B M deco g h", "A", ""),
        ("g = 1\ndef f():\n    return g", "", "f g", ""),
        ("f = lambda a=d: a + g", "d g", "f", ""),
        ("[a + g for a in xs if b for c in a]", "b g xs", "", ""),
        ("{a for a in xs}; {a: 1 for a in ys}; (a for a in zs)", "xs ys zs", "", ""),
        ("%matplotlib inline\n!ls\nx = y", "y", "x", ""),
        ("files = !ls\nt = %timeit -o f()", "", "files t", ""),
        ("%time y = f(x)\n%timeit -n 3 g(y)", "f g x", "y", ""),
        ("%%time\ny = x", "x", "y", ""),
        ("df?\ndf.head??\nx = y", "y", "x", ""),
        ("a = (b\n% c)", "b c", "a", ""),
        ("await f(x)", "f x", "", ""),
        ("%%bash\necho x = y", "", "", ""),
        ("def broken(:", "", "", ""),
        ("x = '\0'", "", "", ""),
    ],
)  # fmt: skip
def test_names_are_told_apart(source: str, reads: str, writes: str, mutates: str) -> None:
    assert names(source)[:3] == (reads, writes, mutates)


def test_imports_are_writes_that_are_known_as_imports() -> None:
    assert flow("import a.b, c as d\nfrom e import f, g as h\nx = 1") == Flow(
        writes=frozenset("adfhx"), imports=frozenset("adfh")
    )


def cells(*sources: str, counts: tuple[int | None, ...] = ()) -> list[Cell]:
    found = [Cell(id=f"c{n}", kind="code", source=source) for n, source in enumerate(sources)]
    for n, count in enumerate(counts):
        found[n] = found[n].model_copy(update={"execution_count": count})
    return found


def test_cells_that_use_a_changed_one_depend_on_it_also_through_others() -> None:
    chain = cells("a = 1", "b = a", "z = 0", "c = b", "print(z)")
    assert dependents(chain, frozenset({"c0"})) == ("c1", "c3")


def test_a_name_that_is_made_anew_is_not_the_changed_one() -> None:
    assert dependents(cells("a = 1", "a = 2", "print(a)"), frozenset({"c0"})) == ()


def test_what_is_changed_in_place_is_another_value_for_cells_below() -> None:
    assert dependents(cells("d = {}", "d['k'] = 1", "print(d)"), frozenset({"c1"})) == ("c2",)


def test_a_module_is_not_changed_by_being_used() -> None:
    plots = cells("import plt", "plt.plot(1)", "plt.plot(2)")
    assert dependents(plots, frozenset({"c1"})) == ()
    assert stale(cells("import plt", "plt.plot(1)", "plt.plot(2)", counts=(3, 2, 1))) == {}


def test_text_is_no_code() -> None:
    text = Cell(id="t", kind="markdown", source="a")
    assert dependents([*cells("a = 1"), text], frozenset({"c0"})) == ()
    assert stale([*cells("a = 1", counts=(2,)), text.model_copy(update={"execution_count": 1})]) == {}


def test_what_a_cell_still_defines_in_the_same_words_is_not_changed() -> None:
    new = "import numpy as np\nimport pandas as pd\ndef f():\n    return 1\nx = 2"
    old = "import numpy as np\ndef f():\n    return 1\nx = 1"
    below = cells(new, "np.mean(1)", "f()", "pd.read()", "x")
    assert dependents(below, frozenset({"c0"}), {"c0": old}) == ("c3", "c4")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("import a.b as c, d", "import d, a.b as c", "c d"),
        ("from a import b", "from c import b", ""),
        ("from a import b as c", "from a import b as c; x = 1", "c"),
        ("class A:\n    x = 1", "class A:\n    x = 2", ""),
        ("async def f(): 1", "# a comment\nasync def f(): 1", "f"),
        ("import a", "import a\na = 2", ""),
        ("import a", "import a\na.b = 2", ""),
        ("import a", "broken(", ""),
    ],
)
def test_definitions_are_compared_by_what_they_say(old: str, new: str, same: str) -> None:
    assert " ".join(sorted(same_definitions(old, new))) == same


def test_an_output_is_stale_when_what_it_uses_ran_later_or_not_since_it_changed() -> None:
    used = ("a = 1", "b = a", "print(b)", "1 + 1")
    assert stale(cells(*used, counts=(1, 2, 3, 4))) == {}
    assert stale(cells(*used, counts=(9, 2, 3, 4))) == {"c1": "c0", "c2": "c1"}
    assert stale(cells(*used, counts=(None, 2, 3, 4))) == {"c1": "c0", "c2": "c1"}
    assert stale(cells(*used, counts=(9, None, 10, 4))) == {"c2": "c1"}


def test_a_notebook_that_ran_from_the_top_or_never_has_nothing_stale() -> None:
    assert stale(cells("a = 1", "a", "a", counts=(1, 3, None))) == {}
    assert stale(cells("a = 1", "a")) == {}
