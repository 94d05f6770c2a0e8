"""Draw the packages and the data flow as SVG, from the imports.

    python -m docs.diagram            write docs/images/packages.svg
    python -m docs.diagram --check    fail if that file is not what would be written

Boxes are the packages and modules directly in `cleanplate`; a box lists its sub-packages. A box
stands in a row above everything that it imports, and an arrow is an import that no other path of
arrows implies. Layers, dummy nodes and barycentres: Sugiyama et al. 1981, "Methods for visual
understanding of hierarchical system structures".
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import grimp

PACKAGE = "cleanplate"
DRAWN = Path(__file__).parent / "images" / "packages.svg"
LEFT_OUT = {"__main__"}
FLOWS = {
    "predict": (
        "formats",
        "predict.alignment",
        "predict.session",
        "predict.upsample",
        "predict.geometry",
        "predict.result",
        "predict.output",
    ),
    "video": ("video.clip_reader", "video.clip_aligner", "predict.scene", "video.clip_writer"),
    "live": ("live.newest_frame", "predict.scene", "live.live_composite", "live.window"),
    "synth": (
        "synthesis.ingest",
        "synthesis.assets",
        "synthesis.compositor",
        "synthesis.building",
        "synthesis.inspection",
    ),
    "synth render": (
        "render.scenes",
        "render.subjects",
        "render.cameras",
        "render.blender",
        "synthesis.assets",
    ),
    "train, export": (
        "training.data",
        "training.networks",
        "training.losses",
        "training.fit",
        "training.export",
        "models",
    ),
    "evaluate": ("pairs", "predict", "metrics", "evaluation"),
}
"""Command -> the packages that its data pass through, in order."""

WIDTH, MARGIN, GAP, ROW_GAP = 1120, 24, 18, 34
LINE, TITLE, PAD = 14, 18, 8
CHARACTER, TITLE_CHARACTER = 6.1, 8.0
"""Widths of letters in pixels, estimated: there is no font to measure."""


@dataclass(eq=False)
class Node:
    """A box, or the place where a long arrow passes a row."""

    name: str
    lines: tuple[str, ...] = ()
    row: int = 0
    x: float = 0.0
    dummy: bool = False
    below: list[Node] = field(default_factory=list)
    above: list[Node] = field(default_factory=list)

    @property
    def width(self) -> float:
        """In pixels."""
        if self.dummy:
            return 10
        longest = max((len(line) for line in self.lines), default=0)
        return round(max(len(self.name) * TITLE_CHARACTER, longest * CHARACTER) + 2 * PAD)

    @property
    def height(self) -> float:
        """In pixels."""
        return TITLE + LINE * len(self.lines) + PAD + (2 if self.lines else 0)


def packages(graph: grimp.ImportGraph) -> dict[str, tuple[str, ...]]:
    """Name of each box -> its sub-packages."""
    found = {}
    for child in sorted(graph.find_children(PACKAGE)):
        name = child.removeprefix(f"{PACKAGE}.")
        inner = sorted(one for one in graph.find_children(child) if graph.find_children(one))
        found[name] = tuple(one.removeprefix(f"{child}.") for one in inner)
    return {name: inner for name, inner in found.items() if name not in LEFT_OUT}


def imports(graph: grimp.ImportGraph, names: list[str]) -> dict[str, set[str]]:
    """Box -> the boxes whose modules it imports directly."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for module in graph.modules:
        source = module.split(".")[1] if "." in module else ""
        for imported in graph.find_modules_directly_imported_by(module):
            target = imported.split(".")[1] if "." in imported else ""
            if source in found and target in found and source != target:
                found[source].add(target)
    return found


def rows(edges: dict[str, set[str]]) -> dict[str, int]:
    """Box -> its row from the bottom: one above the highest that it imports."""
    done: dict[str, int] = {}

    def row(name: str) -> int:
        if name not in done:
            done[name] = 1 + max((row(one) for one in sorted(edges[name])), default=-1)
        return done[name]

    for name in edges:
        row(name)
    return done


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out the imports that other paths imply: the transitive reduction."""

    def reached(name: str) -> set[str]:
        return set().union(*({one} | reached(one) for one in edges[name]))

    return {
        name: {one for one in targets if not any(one in reached(t) for t in targets - {one})}
        for name, targets in edges.items()
    }


def layout(boxes: dict[str, tuple[str, ...]], edges: dict[str, set[str]]) -> list[list[Node]]:
    """Rows of nodes from the top, with their places in x."""
    heights = rows(edges)
    top = max(heights.values())
    nodes = {
        name: Node(name, _wrapped(inner), top - heights[name]) for name, inner in boxes.items()
    }
    grid: list[list[Node]] = [[] for _ in range(top + 1)]
    for node in nodes.values():
        grid[node.row].append(node)
    for name, targets in sorted(reduced(edges).items()):
        for target in sorted(targets):
            above = nodes[name]
            for row in range(nodes[name].row + 1, nodes[target].row):
                dummy = Node("", row=row, dummy=True)
                grid[row].append(dummy)
                _join(above, dummy)
                above = dummy
            _join(above, nodes[target])
    for _ in range(12):
        for nodes_of_row in (*grid[1:], *reversed(grid[:-1])):
            _spread(nodes_of_row)
    ends = [node.x + side * node.width / 2 for row in grid for node in row for side in (-1, 1)]
    for row in grid:
        for node in row:
            node.x = round(node.x + (WIDTH - min(ends) - max(ends)) / 2, 1)
    return grid


def _wrapped(inner: tuple[str, ...]) -> tuple[str, ...]:
    """Two sub-packages to a line."""
    return tuple(", ".join(inner[at : at + 2]) for at in range(0, len(inner), 2))


def _join(above: Node, below: Node) -> None:
    above.below.append(below)
    below.above.append(above)


def _spread(nodes: list[Node]) -> None:
    """Sort a row by the mean place of its neighbours, and put it there without overlaps."""
    wanted = {}
    for place, node in enumerate(nodes):
        near = [one.x for one in (*node.above, *node.below)]
        wanted[node] = (sum(near) / len(near) if near else node.x, place)
    nodes.sort(key=lambda node: wanted[node])
    edge = float(MARGIN)
    for node in nodes:
        node.x = max(wanted[node][0], edge + node.width / 2)
        edge = node.x + node.width / 2 + GAP
    edge = float(WIDTH - MARGIN)
    for node in reversed(nodes):
        node.x = min(node.x, edge - node.width / 2)
        edge = node.x - node.width / 2 - GAP


def drawing() -> str:
    """Give the SVG's text.

    Raises:
        ValueError: if a flow names a package that does not exist.
    """
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    boxes = packages(graph)
    missing = [
        name for flow in FLOWS.values() for name in flow if f"{PACKAGE}.{name}" not in graph.modules
    ]
    if missing:
        raise ValueError(f"flows name what does not exist: {', '.join(missing)}")
    grid = layout(boxes, imports(graph, list(boxes)))
    y = 56.0
    tops = []
    for nodes in grid:
        tops.append(y)
        y += max(node.height for node in nodes if not node.dummy) + ROW_GAP
    parts = [_text(MARGIN, 32, "Packages: each imports only what stands below it", "h")]
    for nodes in grid:
        for node in nodes:
            parts += [_arrow(node, below, tops, grid) for below in node.below]
    for nodes, top in zip(grid, tops, strict=True):
        parts += [_box(node, top) for node in nodes if not node.dummy]
    parts.append(_text(MARGIN, y + 18, "Data flow, by command", "h"))
    y += 34
    for command, flow in FLOWS.items():
        parts += _flow(command, flow, y)
        y += 38
    return _document("\n".join(parts), round(y + 8))


def _box(node: Node, top: float) -> str:
    left = node.x - node.width / 2
    texts = [_text(node.x, top + TITLE - 2, node.name, "b")]
    for at, line in enumerate(node.lines, 1):
        texts.append(_text(node.x, top + TITLE + LINE * at, line, "s"))
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{node.height:.1f}" '
        f'rx="5"/>' + "".join(texts)
    )


def _arrow(node: Node, below: Node, tops: list[float], grid: list[list[Node]]) -> str:
    """Draw a curve from a node's lower side to the upper side of one in the next row."""
    start = tops[node.row] + (
        max(one.height for one in grid[node.row] if not one.dummy) if node.dummy else node.height
    )
    end = tops[below.row]
    middle = (start + end) / 2
    through = ""
    if node.dummy:  # the straight piece through its row
        through = f"M{node.x:.1f},{tops[node.row]:.1f} V{start:.1f} "
    curve = f"C{node.x:.1f},{middle:.1f} {below.x:.1f},{middle:.1f} {below.x:.1f},{end:.1f}"
    head = "" if below.dummy else ' marker-end="url(#head)"'
    return f'<path d="{through}M{node.x:.1f},{start:.1f} {curve}"{head}/>'


def _flow(command: str, flow: tuple[str, ...], y: float) -> list[str]:
    x = MARGIN + 110.0
    parts = [_text(MARGIN, y + 17, command, "l")]
    for at, name in enumerate(flow):
        width = round(len(name) * 6.8 + 14)
        if at:
            parts.append(
                f'<path d="M{x:.1f},{y + 12:.1f} h18" marker-end="url(#head)" class="flow"/>'
            )
            x += 22
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="24" rx="12"/>')
        parts.append(_text(x + width / 2, y + 16, name, "c"))
        x += width + 2
    return parts


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _document(body: str, height: int) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
width="{WIDTH}" height="{height}" role="img">
<title>Packages of Cleanplate and their data flow</title>
<!-- Written by `python -m docs.diagram`. -->
<style>
text {{ font-family: "DejaVu Sans", Verdana, sans-serif; fill: #1b1f24; text-anchor: middle }}
.h {{ font-size: 15px; font-weight: bold; text-anchor: start }}
.l {{ font-size: 12px; text-anchor: start }}
.b {{ font-size: 12px; font-weight: bold }}
.s {{ font-size: 10px; fill: #4a5561 }}
.c {{ font-size: 11px }}
rect {{ fill: #eef4fb; stroke: #5b7fa6 }}
rect.paper {{ fill: #ffffff; stroke: none }}
path {{ fill: none; stroke: #8795a5 }}
path.flow {{ stroke: #1b1f24 }}
#head path {{ fill: #5d6b7a; stroke: none }}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>
<rect class="paper" width="{WIDTH}" height="{height}"/>
{body}
</svg>
"""


def main(arguments: list[str]) -> None:
    """Write the drawing, or end with an error if it is not what would be written."""
    new = drawing()
    if "--check" not in arguments:
        DRAWN.write_text(new, encoding="utf-8")
    elif not DRAWN.is_file() or DRAWN.read_text(encoding="utf-8") != new:
        sys.exit(f"{DRAWN} is stale: python -m docs.diagram")


if __name__ == "__main__":
    main(sys.argv[1:])
