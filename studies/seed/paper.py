"""Write docs/studies/seed.md: the text of `paper.md.j2` with every number from the results."""

from __future__ import annotations

from pathlib import Path

import jinja2

from cleanplate.files.atomic import replacing
from studies.seed.claims import Claims
from studies.seed.network_rows import network_table
from studies.seed.results import Results
from studies.seed.tables import Tables

_TEMPLATE = Path(__file__).parent / "paper.md.j2"


def write(results: Results, file: Path, images: str) -> None:
    """Render the paper.

    Args:
        results: of one scale.
        file: to write, whole or not at all.
        images: the figures' folder, as the paper links to it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    tables, claims = Tables(results), Claims(results)
    text = environment.get_template(_TEMPLATE.name).render(
        results=results,
        told=results.told,
        t=tables,
        v=tables.value,
        c=claims,
        network_table=network_table(),
        images=images,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as path:
        path.write_text(text, encoding="utf-8")
