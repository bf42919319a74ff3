"""Calls of networkx whose form changed in version 2."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator

from nbagent.repair.calls import Edit, RewrittenCalls
from nbagent.repair.code import Code, dotted, replaced
from nbagent.repair.live import kinds, places
from nbagent.repair.rule import Case, Example, Fix, Rule

_SOURCE = "https://networkx.org/documentation/stable/release/migration_guide_from_1.x_to_2.0.html"


class ComponentSubgraphs(RewrittenCalls):
    """Writes `connected_component_subgraphs(G)` as a generator of the subgraphs of the components."""

    code = "NWX020"
    name = "component-subgraphs"
    source = "https://networkx.org/documentation/stable/release/release_2.4.html"
    pattern = re.compile(r"has no attribute '\w*connected_component_subgraphs'")
    functions = frozenset(f"{kind}connected_component_subgraphs" for kind in ("", "weakly_", "strongly_"))
    says = "Subgraphs of components are made from the components."
    examples = (
        Example(
            setup="import networkx as nx\nG = nx.path_graph(3)",
            before="parts = list(nx.connected_component_subgraphs(G))",
            after="parts = list((G.subgraph(c).copy() for c in nx.connected_components(G)))",
            ename="AttributeError",
            evalue="module 'networkx' has no attribute 'connected_component_subgraphs'",
            needs=("networkx",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Write the generator."""
        name = dotted(call.func)
        if name is None or len(call.args) != 1:
            return []
        graph = code.text(call.args[0])
        components = name.replace("component_subgraphs", "components")
        return [(code.span(call), f"({graph}.subgraph(c).copy() for c in {components}({graph}))")]


class AttributeOrder(RewrittenCalls):
    """Gives `set_node_attributes(G, name, values)` its arguments in today's order: values, then name."""

    code = "NWX021"
    name = "node-attribute-order"
    source = _SOURCE
    pattern = re.compile(r"TypeError: (?:unhashable|cannot use 'dict' as a dict key)")
    functions = frozenset({"set_node_attributes", "set_edge_attributes"})
    says = "Values come before the attribute's name."
    examples = (
        Example(
            setup="import networkx as nx\nG = nx.path_graph(2)",
            before="nx.set_node_attributes(G, 'size', {0: 1, 1: 2})",
            after="nx.set_node_attributes(G, {0: 1, 1: 2}, 'size')",
            ename="TypeError",
            evalue="unhashable type: 'dict'",
            needs=("networkx",),
        ),
    )

    def edits(self, code: Code, call: ast.Call) -> list[Edit]:
        """Swap the second and the third argument where the second is a name."""
        if len(call.args) != 3 or not (isinstance(call.args[1], ast.Constant) and isinstance(call.args[1].value, str)):
            return []
        _, name, values = call.args
        return [(code.span(name), code.text(values)), (code.span(values), code.text(name))]


class ViewByPosition(Rule):
    """Makes a list of a graph's nodes, edges or degrees where one is taken by position: `G.nodes()[0]`."""

    code = "NWX022"
    name = "view-by-position"
    source = _SOURCE
    confidence = "likely"
    examples = (
        Example(
            setup="import networkx as nx\nG = nx.path_graph(['a', 'b'])",
            before="first = G.nodes()[0]",
            after="first = list(G.nodes())[0]",
            ename="KeyError",
            evalue="0",
            needs=("networkx",),
        ),
    )

    async def candidates(self, case: Case) -> AsyncIterator[Fix]:
        """Wrap the views that the failing line indexes."""
        if case.ename not in ("KeyError", "TypeError"):
            return
        for place in await places(case):
            code = Code.of(place.cell.source)
            nodes = [n for n in code.at(place, ast.Subscript) if not isinstance(n.ctx, ast.Store)] if code else []
            if code is None or not nodes:
                continue
            classes = await kinds(case, place, *(code.text(n.value) for n in nodes))
            edits = [
                (code.span(n.value), f"list({code.text(n.value)})")
                for n, names in zip(nodes, classes, strict=True)
                if any(re.match(r"networkx\..*\b(?:Node|\w*Edge)\w*View$", name) for name in names)
            ]
            if edits:
                says = "Nodes and edges are views, which have no positions; a list of them has."
                yield Fix(rule=self.code, says=says, changes=(replaced(place.cell, code.with_edits(edits)),))
                return
