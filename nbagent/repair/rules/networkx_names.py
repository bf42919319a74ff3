"""Names and methods that networkx renamed in versions 2 and 3."""

from __future__ import annotations

from typing import ClassVar

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.renamed import RenamedAttributes
from nbagent.repair.rule import Example


class MovedNetworkxName(MovedNames):
    """Reaches functions of networkx by their names of today: `from_numpy_matrix`, `graphviz_layout`."""

    code = "NWX001"
    name = "moved-networkx-name"
    source = "https://networkx.org/documentation/stable/release/migration_guide_from_1.x_to_2.0.html"
    roots = ("networkx",)
    moves = Moves(
        {},
        {
            "networkx.from_numpy_matrix": "networkx.from_numpy_array",
            "networkx.to_numpy_matrix": "networkx.to_numpy_array",
            "networkx.from_scipy_sparse_matrix": "networkx.from_scipy_sparse_array",
            "networkx.to_scipy_sparse_matrix": "networkx.to_scipy_sparse_array",
            "networkx.from_pandas_dataframe": "networkx.from_pandas_edgelist",
            "networkx.graphviz_layout": "networkx.nx_agraph.graphviz_layout",
            "networkx.OrderedGraph": "networkx.Graph",
            "networkx.OrderedDiGraph": "networkx.DiGraph",
            "networkx.pagerank_numpy": "networkx.pagerank",
            "networkx.pagerank_scipy": "networkx.pagerank",
            "networkx.info": "builtins.str",
        },
        search=False,
    )
    examples = (
        Example(
            setup="import networkx as nx, numpy as np",
            before="g = nx.from_numpy_matrix(np.eye(2))",
            after="g = nx.from_numpy_array(np.eye(2))",
            ename="AttributeError",
            evalue="module 'networkx' has no attribute 'from_numpy_matrix'",
            needs=("networkx", "numpy"),
        ),
    )


class RenamedNetworkxMethod(RenamedAttributes):
    """Renames methods of networkx graphs: `G.node`, `G.edges_iter()`, `G.add_path(...)`, `degree().values()`."""

    code = "NWX010"
    name = "renamed-networkx-method"
    source = "https://networkx.org/documentation/stable/release/migration_guide_from_1.x_to_2.0.html"
    owners = ("networkx",)
    attributes: ClassVar = {
        "node": "nodes",
        "edge": "adj",
        "nodes_iter": "nodes",
        "edges_iter": "edges",
        "neighbors_iter": "neighbors",
        "degree_iter": "degree",
        "in_degree_iter": "in_degree",
        "out_degree_iter": "out_degree",
        "successors_iter": "successors",
        "predecessors_iter": "predecessors",
        "adjacency_iter": "adjacency",
        "add_path": "nx.add_path({}",
        "add_cycle": "nx.add_cycle({}",
        "add_star": "nx.add_star({}",
        "selfloop_edges": "nx.selfloop_edges({}",
        "nodes_with_selfloops": "nx.nodes_with_selfloops({}",
        "number_of_selfloops": "nx.number_of_selfloops({}",
        "values": "dict({}).values",
        "items": "dict({}).items",
        "keys": "dict({}).keys",
        "iteritems": "dict({}).items",
        "itervalues": "dict({}).values",
    }
    examples = (
        Example(
            setup="import networkx as nx\nG = nx.path_graph(3)",
            before="G.node[0]['name'] = 'a'",
            after="G.nodes[0]['name'] = 'a'",
            ename="AttributeError",
            evalue="'Graph' object has no attribute 'node'",
            needs=("networkx",),
        ),
        Example(
            setup="import networkx as nx\nG = nx.path_graph(3)",
            before="sorted(G.degree().values())",
            after="sorted(dict(G.degree()).values())",
            ename="AttributeError",
            evalue="'DegreeView' object has no attribute 'values'",
            needs=("networkx",),
        ),
        Example(
            setup="import networkx as nx\nG = nx.Graph()",
            before="G.add_path([1, 2, 3])",
            after="nx.add_path(G, [1, 2, 3])",
            ename="AttributeError",
            evalue="'Graph' object has no attribute 'add_path'",
            needs=("networkx",),
        ),
    )
