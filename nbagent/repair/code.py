"""A cell's source as text and tree at once, so that a fix changes the characters it means and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from nbagent.core.cells import Cell, ReplaceSource
from nbagent.repair.live import Place
from nbagent.repair.names import python_of

E = TypeVar("E", bound=ast.expr)
N = TypeVar("N", bound=ast.AST)

_LINE_MAGIC = re.compile(r"^(?P<indent>\s*)(?P<magic>%time(?:it)?(?:[ ]+-[a-z][ ]*\d+)*)[ ]+(?=\S)(?!-)")
_HELP = re.compile(r"^\s*[\w.*]+\?{1,2}\s*$")


def _visible(source: str) -> str:
    """Return Python of the same lines and columns; what follows %time and %timeit stays visible."""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        if matched := _LINE_MAGIC.match(line):
            lines[number] = (
                matched["indent"] + "if 1:".ljust(matched.end() - len(matched["indent"])) + line[matched.end() :]
            )
        elif _HELP.match(line):
            lines[number] = ""
    return python_of("\n".join(lines))


@dataclass(frozen=True)
class Code:
    """A cell's source with its tree; `None` from `of` when it is not Python 3."""

    source: str
    tree: ast.Module

    @classmethod
    def of(cls, source: str) -> Code | None:
        """Return the code of a cell, or None when Python 3 cannot read it."""
        for text in (_visible(source), python_of(source)):
            try:
                return cls(source, ast.parse(text))
            except (SyntaxError, ValueError, RecursionError):
                continue
        return None

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.source.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def _lines(self) -> list[str]:
        return self.source.split("\n")

    def offset(self, line: int, column: int) -> int:
        """Return the character offset of a line and a column in bytes, as `ast` counts them."""
        text = self._lines[line - 1]
        in_text = column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))
        return self._starts[line - 1] + in_text

    def span(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> tuple[int, int]:
        """Return where a node's text starts and ends."""
        end_line = node.end_lineno or node.lineno
        return self.offset(node.lineno, node.col_offset), self.offset(end_line, node.end_col_offset or 0)

    def text(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """Return a node's text as it stands."""
        start, end = self.span(node)
        return self.source[start:end]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Each node's parent."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def statement(self, node: ast.AST) -> ast.stmt:
        """Return the statement that a node stands in."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def at(self, place: Place, kind: type[E]) -> list[E]:
        """Return the nodes of a kind that failed there: the exact one where Python knows it, else those on the line."""
        if place.span:
            line, end_line, column, end_column = place.span
            exact = [
                n
                for n in self.all(kind)
                if (n.lineno, n.end_lineno, n.col_offset, n.end_col_offset) == (line, end_line, column, end_column)
            ]
            if exact:
                return exact
        return [n for n in self.all(kind) if n.lineno <= place.line <= (n.end_lineno or n.lineno)]

    def all(self, kind: type[N]) -> Iterator[N]:
        """Return all nodes of a kind, outer ones first."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kind))

    def with_edits(self, edits: Sequence[tuple[tuple[int, int], str]]) -> str:
        """Return the source after replacing spans; of two nested ones the inner is replaced."""
        text, before = self.source, len(self.source) + 1
        for (start, end), new in sorted(set(edits), key=lambda edit: (edit[0][0], -edit[0][1]), reverse=True):
            if end <= before:
                text = text[:start] + new + text[end:]
                before = start
        return text

    def with_line_above(self, statement: ast.stmt, line: str) -> str:
        """Return the source with a line of its own above a statement, indented like it."""
        start = self._starts[statement.lineno - 1]
        indent = re.match(r"[ \t]*", self._lines[statement.lineno - 1])
        return self.source[:start] + (indent[0] if indent else "") + line + "\n" + self.source[start:]

    def with_import(self, line: str) -> str:
        """Return the source with an import on top: below cell magics and comments, above the first code."""
        body = [s for s in self.tree.body if not _is_docstring(s)]
        if not body:
            return self.source.rstrip("\n") + "\n" + line
        anchor = next((s for s in body if isinstance(s, ast.Import | ast.ImportFrom)), None)
        top = max(0, min(_first_code_line(self._lines), (anchor or body[0]).lineno - 1))
        if any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in body):
            top = max((s.end_lineno or 0) for s in body if isinstance(s, ast.ImportFrom) and s.module == "__future__")
        start = self._starts[top]
        return self.source[:start] + line + "\n" + self.source[start:]


def _first_code_line(lines: list[str]) -> int:
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith(("%", "#", "!")):
            return number
    return 0


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def replaced(cell: Cell, source: str) -> ReplaceSource:
    """Return the change that gives a cell another source."""
    return ReplaceSource(cell_id=cell.id, expects=cell.digest, source=source)


def in_parentheses(code: Code, node: ast.expr) -> str:
    """Return a node's text so that an attribute can follow it."""
    text = code.text(node)
    simple = ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.List | ast.Dict | ast.Set | ast.JoinedStr
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in text:
        return text
    return text if isinstance(node, simple) and not _wrapped(code, node) else f"({text})"


def _wrapped(code: Code, node: ast.expr) -> bool:
    # `(a\n .b)` is one node over two lines: outside its parentheses it would end at the first.
    return "\n" in code.text(node) and not isinstance(node, ast.Call | ast.Subscript | ast.List | ast.Dict | ast.Set)


def dotted(node: ast.expr) -> str | None:
    """Return `a.b.c` for names and attributes of names, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return None
