"""PageRank of a graph. Reads an edge list, writes the ranks as JSON. Standard library only.

In:  $EVENTFLOW_PAYLOAD_FILE, or stdin: one edge per line, two node names and optionally a weight, separated by blanks;
     lines that start with # are comments.
Out: $EVENTFLOW_RESULT_FILE, or stdout: {"nodes", "edges", "iterations", "ranks": [{"node", "rank"}, ...]}, best first.
Log: stderr, one line per ten iterations.

Settings from the environment: DAMPING (default 0.85), DIRECTED (true or false, default false), TOP (how many ranks to
write, default all).
"""

import json
import math
import os
import sys

TOLERANCE = 1e-12
MAX_ITERATIONS = 500


class InputError(Exception):
    """The graph or a setting cannot be used; the message says why."""


def parse(lines, directed):
    """Reads an edge list into {node: {neighbour: weight}}, nodes in the order of their first mention."""
    graph = {}
    edges = 0
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if len(fields) not in (2, 3):
            raise InputError(f"line {number}: expected two nodes and at most a weight, found {len(fields)} fields")
        source, target = fields[:2]
        try:
            weight = float(fields[2]) if len(fields) == 3 else 1.0
        except ValueError:
            raise InputError(f"line {number}: the weight {fields[2]!r} is not a number") from None
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"line {number}: the weight {fields[2]} is not a positive number")
        for node in (source, target):
            graph.setdefault(node, {})
        graph[source][target] = graph[source].get(target, 0.0) + weight
        if not directed and source != target:
            graph[target][source] = graph[target].get(source, 0.0) + weight
        edges += 1
    if not graph:
        raise InputError("the graph has no edges")
    return graph, edges


def pagerank(graph, damping, progress=lambda iteration, change: None):
    """Power iteration until the ranks stand still. Returns ({node: rank}, iterations); the ranks sum to 1."""
    count = len(graph)
    total = {node: sum(out.values()) for node, out in graph.items()}
    ranks = dict.fromkeys(graph, 1.0 / count)
    for iteration in range(1, MAX_ITERATIONS + 1):
        # The rank of nodes that lead nowhere is spread over all.
        lost = sum(rank for node, rank in ranks.items() if not graph[node])
        base = (1.0 - damping + damping * lost) / count
        fresh = dict.fromkeys(graph, base)
        for node, out in graph.items():
            for target, weight in out.items():
                fresh[target] += damping * ranks[node] * weight / total[node]
        change = sum(abs(fresh[node] - ranks[node]) for node in graph)
        ranks = fresh
        progress(iteration, change)
        if change < TOLERANCE * count:
            return ranks, iteration
    raise InputError(f"the ranks do not settle within {MAX_ITERATIONS} iterations; lower DAMPING")


def settings(environment):
    """Reads (damping, directed, top) from a mapping of environment variables."""
    try:
        damping = float(environment.get("DAMPING", "0.85"))
        top = int(environment["TOP"]) if "TOP" in environment else None
    except ValueError as error:
        raise InputError(f"DAMPING and TOP have to be numbers: {error}") from None
    if not 0 < damping < 1:
        raise InputError(f"DAMPING is {damping}, not between 0 and 1")
    if top is not None and top < 1:
        raise InputError(f"TOP is {top}, not at least 1")
    directed = environment.get("DIRECTED", "false")
    if directed not in ("true", "false"):
        raise InputError(f"DIRECTED is {directed!r}, neither true nor false")
    return damping, directed == "true", top


def log(message):
    print(message, file=sys.stderr, flush=True)


def run(environment):
    damping, directed, top = settings(environment)
    path = environment.get("EVENTFLOW_PAYLOAD_FILE")
    with open(path, encoding="utf-8") if path else sys.stdin as lines:
        graph, edges = parse(lines, directed)
    log(f"read {len(graph)} nodes and {edges} edges")

    def progress(iteration, change):
        if iteration % 10 == 0:
            log(f"iteration {iteration}: ranks moved by {change:.2e}")

    ranks, iterations = pagerank(graph, damping, progress)
    log(f"settled after {iterations} iterations")
    ordered = sorted(ranks.items(), key=lambda item: (-item[1], item[0]))[:top]
    result = {
        "nodes": len(graph),
        "edges": edges,
        "iterations": iterations,
        "ranks": [{"node": node, "rank": round(rank, 9)} for node, rank in ordered],
    }
    path = environment.get("EVENTFLOW_RESULT_FILE")
    with open(path, "w", encoding="utf-8") if path else sys.stdout as out:
        json.dump(result, out)
        out.write("\n")


if __name__ == "__main__":
    try:
        run(os.environ)
    except (InputError, OSError, UnicodeDecodeError) as error:
        log(f"error: {error}")
        sys.exit(1)
