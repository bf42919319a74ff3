"""Calls of scipy and statsmodels whose form changed."""

from __future__ import annotations

import ast
import re

from nbagent.repair.calls import Edit, RewrittenCalls, added, keyword, name_span
from nbagent.repair.code import Code, dotted
from nbagent.repair.rule import Example


class ModeKeepsDimensions(RewrittenCalls):
    """Adds `keepdims=True` to `stats.mode` where its result is indexed like the arrays that it used to give."""

    code = "SCI020"
    name = "mode-keeps-dimensions"
    source = "https://docs.scipy.org/doc/scipy/release/1.11.0-notes.html"
    pattern = re.compile(
        r"IndexError: (?:invalid index to scalar variable|too many indices)|TypeError: .*subscriptable"
    )
    functions = frozenset({"mode"})
    says = "`mode` gives arrays only when asked to."
    examples = (
        Example(
            setup="from scipy import stats",
            before="m = stats.mode([1, 1, 2])[0][0]",
            after="m = stats.mode([1, 1, 2], keepdims=True)[0][0]",
            ename="IndexError",
            evalue="invalid index to scalar variable.",
            needs=("scipy",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Add the keyword to calls with data."""
        owner = (dotted(call.func) or "").rpartition(".")[0]
        if (
            not call.args
            or keyword(call, "keepdims")
            or owner not in ("", "stats", "scipy.stats", "ss", "st", "sp.stats")
        ):
            return []
        return [added(code, call, "keepdims=True")]


class BinomialTest(RewrittenCalls):
    """Writes `binom_test(...)`, which gave the p-value, as `binomtest(...).pvalue`."""

    code = "SCI021"
    name = "binomial-test"
    source = "https://docs.scipy.org/doc/scipy/release/1.12.0-notes.html"
    pattern = re.compile(r"has no attribute 'binom_test'")
    functions = frozenset({"binom_test"})
    says = "`binom_test` is `binomtest` now, whose result has the p-value."
    examples = (
        Example(
            setup="from scipy import stats",
            before="p = stats.binom_test(3, n=10, p=0.5)",
            after="p = stats.binomtest(3, n=10, p=0.5).pvalue",
            ename="AttributeError",
            evalue="module 'scipy.stats' has no attribute 'binom_test'",
            needs=("scipy",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Rename and take the p-value."""
        end = code.span(call)[1]
        return [(name_span(code, call), "binomtest"), ((end, end), ".pvalue")]


class LinkInstance(RewrittenCalls):
    """Gives families of statsmodels an instance of their link: `Binomial(links.logit)` is `Binomial(links.Logit())`."""

    code = "STM020"
    name = "link-instance"
    source = "https://www.statsmodels.org/stable/release/version0.14.html"
    pattern = re.compile(r"Calling Family\(\.\.\) with a link class")
    functions = frozenset(
        {"Binomial", "Gaussian", "Poisson", "Gamma", "NegativeBinomial", "InverseGaussian", "Tweedie"}
    )
    says = "The link is given as an instance."
    examples = (
        Example(
            setup="import statsmodels.api as sm",
            before="family = sm.families.Binomial(sm.families.links.logit)",
            after="family = sm.families.Binomial(sm.families.links.Logit())",
            ename="TypeError",
            evalue="Calling Family(..) with a link class is not allowed. Use an instance of a link class instead.",
            needs=("statsmodels",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Call the class; those written small are deprecated names of it."""
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "link")]
        return [
            (code.span(link), f"{owner}.{_CLASSES.get(name, name[:1].upper() + name[1:])}()")
            for link in given
            if isinstance(link, ast.Attribute)
            for owner, _, name in [(dotted(link) or "").rpartition(".")]
            if owner
        ]


_CLASSES = {
    "cloglog": "CLogLog",
    "loglog": "LogLog",
    "inverse_power": "InversePower",
    "inverse_squared": "InverseSquared",
}
