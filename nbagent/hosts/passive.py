"""Rich output of a trial as it may be shown: HTML of a live cell is trusted by front-ends, and scripts in it would act.

A script in the page can ask the kernel to run anything, with the user's rights. So what is not plainly a table, a
picture or text is shown as text: a list of what is allowed, not of what is known to be bad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

_KINDS = frozenset({"text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "application/json"})
_CHARTS = ("application/vnd.plotly.", "application/vnd.vegalite.", "application/vnd.vega.", "application/geo+json")
_OWN_ADDRESSES = frozenset({"$schema", "plotlyServerURL"})
_CHECKED = frozenset({"text/html", "text/markdown", "text/latex", "image/svg+xml"})
_TEXT_AND_PICTURES = (
    "a abbr b bdi blockquote br caption center cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd label li main mark meter nav ol p "
    "pre progress q s samp section small span strike strong sub summary sup table tbody td tfoot th thead time "
    "tr tt u ul var wbr style article svg g defs path rect circle ellipse line polyline polygon text tspan "
    "clippath lineargradient radialgradient stop title desc symbol marker pattern mask metadata use rdf:rdf "
    "cc:work dc:type dc:date dc:format dc:creator dc:title cc:agent "
)
_TAGS = frozenset(_TEXT_AND_PICTURES.split())
_ATTRIBUTE = re.compile(r"^(?!on|data-)[a-z][a-z0-9:_.-]*$", re.IGNORECASE)  # data-commandlinker-...: runs commands
_LINKS = frozenset({"href", "src", "xlink:href", "action", "formaction", "poster", "srcset", "background", "data"})
_PLAIN_LINK = re.compile(r"^(?:#|https?://|mailto:)", re.IGNORECASE)
_PICTURE = re.compile(r"^data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$")
_ACTIVE_STYLE = re.compile(
    r"url\s*\(|expression|@import|javascript:|-moz-binding|behavior|position\s*:\s*fixed|\\", re.I
)


_LEADS_OUT = re.compile(r"script\s*:|data\s*:|&#|!\[|\\(?:href|url|style|class|cssId|includegraphics|require)", re.I)
_ELEMENT = re.compile(r"<[a-zA-Z/!?]")


def shown(data: Mapping[str, object]) -> tuple[dict[str, object], bool]:
    """Return the formats of a display that may be shown, and whether one was left out because it could act."""
    kept = {kind: value for kind, value in data.items() if _may_be_shown(kind, value)}
    left = len(kept) < len(data)
    if left and not kept:
        kept["text/plain"] = "[nbagent: output that needs scripts or the network is not shown by a trial]"
    return kept, left


def inert(text: str) -> bool:
    """Return whether HTML or SVG holds nothing but text, tables, pictures that it contains itself, and plain links."""
    checker = _Checker()
    try:
        checker.feed(text)
        checker.close()
    except (AssertionError, ValueError, RecursionError):
        return False
    return checker.fine


def _may_be_shown(kind: str, value: object) -> bool:
    if kind.startswith(_CHARTS):
        return _no_addresses(value)
    if kind not in _CHECKED:
        return kind in _KINDS
    text = "".join(map(str, value)) if isinstance(value, list) else value
    if not isinstance(text, str) or (kind in ("text/markdown", "text/latex") and _LEADS_OUT.search(text)):
        return False
    return kind == "text/latex" or inert(text)


def _no_addresses(value: object) -> bool:
    """Return whether a chart loads nothing: an address in it could carry what the code read out through the browser."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += [inner for name, inner in each.items() if name not in _OWN_ADDRESSES]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and "//" in each:
            return False
    return True


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.fine = True
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check one element."""
        self._in_style = tag == "style"
        self.fine = self.fine and tag in _TAGS and all(_passes(tag, name, value or "") for name, value in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check an empty element; a browser takes `<style/>` for the beginning of one."""
        self.handle_starttag(tag, attrs)
        self.fine = self.fine and not self._in_style

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a style sheet."""
        self._in_style = False

    def handle_data(self, data: str) -> None:
        """Check a style sheet; and what this parser takes for text, but a browser may take for an element."""
        if self._in_style:
            self.fine = self.fine and "<" not in data and not _ACTIVE_STYLE.search(data)
        else:
            self.fine = self.fine and not _ELEMENT.search(data)

    def handle_comment(self, data: str) -> None:
        """Parsers differ on where some comments end."""
        self.fine = self.fine and bool(data) and not re.search("[<>]|^-|-$", data)

    def handle_pi(self, data: str) -> None:
        """Only the first line of XML."""
        self.fine = self.fine and data.startswith("xml ") and "<" not in data

    def handle_decl(self, decl: str) -> None:
        """Only document types as SVG has them."""
        self.fine = self.fine and decl.lower().startswith("doctype svg") and "[" not in decl

    def unknown_decl(self, data: str) -> None:
        """CDATA and the like are read differently by different parsers."""
        self.fine = False


def _passes(tag: str, name: str, value: str) -> bool:
    if not _ATTRIBUTE.match(name):
        return False
    if name in _LINKS:
        if tag in ("img", "image") and name == "src":
            return bool(_PICTURE.match(value))
        return bool(_PLAIN_LINK.match(value)) if tag == "a" else value.startswith("#")
    return not (name == "style" and _ACTIVE_STYLE.search(value))
