"""Moved and renamed names of Python's standard library since 3.3."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import RenamedAttributes
from nbagent.repair.rule import Example

NAMES = {
    "inspect.getargspec": "inspect.getfullargspec",
    "fractions.gcd": "math.gcd",
    "base64.encodestring": "base64.encodebytes",
    "base64.decodestring": "base64.decodebytes",
    "cgi.escape": "html.escape",
    "cgi.parse_qs": "urllib.parse.parse_qs",
    "imp.reload": "importlib.reload",
    "time.clock": "time.perf_counter",
    "locale.format": "locale.format_string",
}
"""https://docs.python.org/3/whatsnew/ of 3.8 (cgi.escape, clock), 3.9 (gcd, base64), 3.11 (getargspec), 3.12 (imp)."""
MODULES = {"collections": "collections.abc", "imp": "importlib", "xml.etree.cElementTree": "xml.etree.ElementTree"}


class MovedStandardName(MovedNames):
    """Reaches names of the standard library where they are now: `collections.Iterable`, `fractions.gcd`, `imp`."""

    code = "STD001"
    name = "moved-standard-name"
    source = "https://docs.python.org/3/whatsnew/"
    roots = tuple({name.partition(".")[0] for name in (*NAMES, *MODULES)} - {"string"})
    moves = Moves(MODULES, NAMES, search=False)
    examples = (
        Example(
            before="from collections import Iterable, Counter\nisinstance([], Iterable)",
            after="from collections.abc import Iterable\nfrom collections import Counter\nisinstance([], Iterable)",
            ename="ImportError",
            evalue="cannot import name 'Iterable' from 'collections' (collections/__init__.py)",
        ),
        Example(
            before="from fractions import gcd\ngcd(4, 6)",
            after="from math import gcd\ngcd(4, 6)",
            ename="ImportError",
            evalue="cannot import name 'gcd' from 'fractions' (fractions.py)",
        ),
        Example(
            setup="import collections",
            before="isinstance({}, collections.Mapping)",
            after="from collections import abc\nisinstance({}, abc.Mapping)",
            ename="AttributeError",
            evalue="module 'collections' has no attribute 'Mapping'",
        ),
    )


class RenamedStandardMethod(RenamedAttributes):
    """Renames methods of standard objects: `array.tostring()`, `thread.isAlive()`, `element.getchildren()`."""

    code = "STD002"
    name = "renamed-standard-method"
    source = "https://docs.python.org/3/whatsnew/3.9.html"
    owners = ("array", "threading", "xml", "html", "multiprocessing")
    attributes: ClassVar = {
        "tostring": "tobytes",
        "fromstring": "frombytes",
        "isAlive": "is_alive",
        "getchildren": "list({})",
    }
    examples = (
        Example(
            setup="from array import array\na = array('i', [1])",
            before="raw = a.tostring()",
            after="raw = a.tobytes()",
            ename="AttributeError",
            evalue="'array.array' object has no attribute 'tostring'",
        ),
    )
