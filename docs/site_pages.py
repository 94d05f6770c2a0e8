"""The pages of the site, for mkdocs: the repository's documents as they lie, and the reference.

Pages keep their paths in the repository, so that every relative link holds on the site as it does
in the checkout. A file that a page links to is taken along. The reference is made of docstrings:
a page for each package, with the names of its `__all__` and then what else its modules define.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
START = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PACKAGES = (
    *("predict", "video", "live", "depth", "matte", "metrics", "formats", "pairs", "evaluation"),
    *("diagnosis", "synthesis", "training", "models"),
)
GUIDE = {
    "Use": (
        "predict",
        "prediction",
        "video",
        "live",
        "depth",
        "files",
        "metrics",
        "diagnosis",
        "platforms",
    ),
    "Data and training": ("data", "compositor", "training", "subject_depth"),
    "Results": ("model", "real", "studies/seed"),
    "Develop": ("architecture", "words"),
}
FENCE_HEAD = re.compile(r"^( *```\w+) .*$", re.M)
FENCE = re.compile(r"^( *)```.*?^\1```$", re.S | re.M)
LINK = re.compile(r'\]\(([^)#\s]+)|src="([^"]+)"')


def on_files(given: Files, config: MkDocsConfig) -> Files:
    """Replace the files of `docs/` by the repository's documents and the reference."""
    files = Files([file for file in given if file.src_dir != config.docs_dir])  # the theme's own
    for path in documents():
        place = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, place, abs_src_path=str(path)))
    reference = []
    for package in PACKAGES:
        pages = reference_pages(f"cleanplate.{package}")
        for name, text in pages.items():
            files.append(File.generated(config, _page(name), content=text))
        entries = [{name.removeprefix("cleanplate."): _page(name)} for name in pages]
        reference.append(entries[0] if len(entries) == 1 else {package: entries})
    listed = {title: [f"docs/{one}.md" for one in pages] for title, pages in GUIDE.items()}
    listed["Develop"] += ["CONTRIBUTING.md", "CHANGELOG.md"]
    known = {"README.md", *(page for pages in listed.values() for page in pages)}
    more = [
        file.src_uri
        for file in files.documentation_pages()
        if not file.src_uri.startswith("reference/") and file.src_uri not in known
    ]
    config.nav = [
        {"Cleanplate": "README.md"},
        *({title: pages} for title, pages in listed.items()),
        {"Reference": reference},
        {"Sources and licences": more},
    ]
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Keep the language alone of a fence's first line: the rest is for `tests/test_docs.py`."""
    return FENCE_HEAD.sub(r"\1", markdown)


def documents() -> list[Path]:
    """Find the Markdown files of the repository's front and of `docs/`, and what they link to."""
    todo = [*(ROOT / name for name in START), *sorted((ROOT / "docs").rglob("*.md"))]
    found: dict[Path, None] = {}
    while todo:
        path = todo.pop(0)
        if path in found:
            continue
        found[path] = None
        if path.suffix == ".md":
            todo += [target for target in links(path) if target.is_file()]
    return list(found)


def links(page: Path) -> list[Path]:
    """Where the relative links of a page lead, outside its code blocks."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [one or two for one, two in LINK.findall(text)]
    return [(page.parent / t).resolve() for t in targets if not re.match(r"[a-z]+:", t)]


def reference_pages(package: str) -> dict[str, str]:
    """Name -> Markdown of a package's page and of those of its sub-packages."""
    folder = SOURCE / package.replace(".", "/")
    exported = exports(folder / "__init__.py") or public_names(folder / "__init__.py")
    parts = [directive(package, exported, level=1)]
    pages: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" and not path.name.startswith("__"):
            names = [name for name in public_names(path) if name not in exported]
            if names:
                parts.append(directive(f"{package}.{path.stem}", names))
        elif (path / "__init__.py").is_file():
            pages |= reference_pages(f"{package}.{path.name}")
    return {package: "\n".join(parts), **pages}


def directive(module: str, names: list[str], level: int = 2) -> str:
    """Ask mkdocstrings for a module's docstring and these names of it."""
    members = f"[{', '.join(names)}]" if names else "false"
    options = f"      heading_level: {level}\n      members: {members}\n"
    return f"::: {module}\n    options:\n{options}"


def exports(path: Path) -> list[str]:
    """Names in `__all__`; none without one."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [name for name in ast.literal_eval(node.value) if not name.startswith("__")]
    return []


def public_names(path: Path) -> list[str]:
    """Functions, classes and constants of a module, in the order in which they are defined."""
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign):
            names.append(ast.unparse(node.target))
    return [name for name in names if not name.startswith("_")]


def _page(name: str) -> str:
    return f"reference/{name.removeprefix('cleanplate.')}.md"
