"""A diagnosis as text, JSON and one HTML page with pictures."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cleanplate.diagnosis.array_input import Maps
from cleanplate.diagnosis.findings import Finding
from cleanplate.diagnosis.measures import FEWEST, Measures

_SIDE = 128
"""Pixels of a picture in the page, at least."""


@dataclass(frozen=True)
class Example:
    """One picture's maps, for looking at.

    Args:
        input: (H, W) brightness of the input; None = not given.
        target: (H, W), NaN unknown.
        prediction: (H, W), after the sigmoid where predictions are logits.
        drawn: (H, W) or (H, W, 3) in [0, 1] by title: what the caller's drawing makes of it.
    """

    input: Maps | None
    target: Maps
    prediction: Maps
    drawn: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class DiagnosisReport:
    """What a diagnosis found.

    Args:
        measures: all figures.
        findings: what is wrong; empty if nothing is.
        examples: pictures for the page.
    """

    measures: Measures
    findings: Sequence[Finding]
    examples: Sequence[Example] = ()

    def __str__(self) -> str:
        return self.as_text()

    def facts(self) -> list[tuple[str, str]]:
        """Name each figure that was measured, with its value, for people."""
        m = self.measures
        rows = [("pictures", f"{m.pictures:,}"), ("predictions are", m.kind)]
        rows.append(("targets reach", f"{m.target_range[0]:.4g} to {m.target_range[1]:.4g}"))
        rows.append(("spread within a picture / target's", _share(m.spread_ratio)))
        rows.append(("correlation with the target", f"{m.correlation:.3f}"))
        rows.append(("... of the mean map with the targets", f"{m.mean_map_correlation:.3f}"))
        rows.append(("... without the mean maps, own target", f"{m.prediction_match.own:.3f}"))
        rows.append(("... with permuted targets", f"{m.prediction_match.others:.3f}"))
        rows.append((f"{m.loss_name}", f"{m.loss:.4f}"))
        names = {"constant": "one constant", "mean_map": "the mean map"}
        names |= {"picture_mean": "each picture's mean", "perfect": "a perfect answer (floor)"}
        rows += [(f"... of {names[k]}", f"{m.loss_floors[k]:.4f}") for k in names if m.loss_floors]
        if m.loss_floors:
            rows.append(("... learned, of all that can be", _share(learned(m))))
        if m.logged_loss is not None:
            rows.append(("loss in the log, last fifth", f"{m.logged_loss:.4f}"))
        if m.brightness is not None:
            rows.append(("correlation with the input's brightness", f"{m.brightness:+.3f}"))
            rows.append(("... of the target", f"{m.target_brightness or 0:+.3f}"))
            rows.append(("edges: input and own target", f"{m.input_match.own:.3f}"))
            rows.append(("edges: input and permuted targets", f"{m.input_match.others:.3f}"))
        if m.input_range is not None:
            rows.append(("input range", f"{m.input_range[0]:.4g} to {m.input_range[1]:.4g}"))
            rows.append(("input contrast (std)", f"{m.input_contrast:.4g}"))
        if m.drawn is not None:
            rows.append(("a perfect answer drawn: white", _share(m.drawn.white)))
            rows.append(("a perfect answer drawn: black", _share(m.drawn.black)))
        if m.spent_after is not None:
            rows.append(("99 % of rate x steps spent after", _share(m.spent_after)))
        if m.update is not None:
            rows.append(("relative size of a step", f"{m.update:.2e}"))
        return rows

    def limits(self) -> list[str]:
        """Say what could not be looked at, and why."""
        m = self.measures
        found = []
        if m.prediction_match.count < FEWEST:
            found.append(f"Fewer than {FEWEST} pictures: pairs and mean map were not judged.")
        if m.input_range is None:
            found.append("No inputs: their scaling, pairs and brightness were not looked at.")
        if m.drawn is None:
            found.append("No drawing code: whether a perfect answer survives it is not known.")
        if m.spent_after is None and m.update is None:
            found.append("No learning rates: the schedule was not looked at.")
        return found

    def as_text(self) -> str:
        """Write the report for a terminal."""
        lines = []
        for finding in self.findings:
            lines += [f"[{finding.code}] {finding.what}", f"  {finding.evidence}"]
            lines += [f"  -> {finding.cure}", ""]
        if not self.findings:
            lines += ["Nothing found wrong.", ""]
        rows = self.facts()
        width = max(len(name) for name, _ in rows)
        lines += [f"{name:{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, "", *self.limits()]).rstrip()

    def as_document(self) -> dict[str, Any]:
        """Give the report for JSON: findings, figures, what was not looked at; NaN becomes null."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "measures": _plain(asdict(self.measures)),
            "not_looked_at": self.limits(),
        }

    def as_html(self, title: str = "Diagnosis") -> str:
        """Write the report as one page that needs no other file: pictures are inside it."""
        told = "".join(
            f"<section><h2>{_e(f.code)}</h2><p><b>{_e(f.what)}</b></p><p>{_e(f.evidence)}</p>"
            f"<p>What to do: {_e(f.cure)}</p></section>"
            for f in self.findings
        )
        told = told or "<section><p><b>Nothing found wrong.</b></p></section>"
        rows = "".join(f"<tr><th>{_e(n)}</th><td>{_e(v)}</td></tr>" for n, v in self.facts())
        limits = "".join(f"<li>{_e(text)}</li>" for text in self.limits())
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_e(title)}</title>'
            f"<style>{_STYLE}</style><h1>{_e(title)}</h1>{told}{self._pictures()}"
            f"<h2>Figures</h2><table>{rows}</table><ul>{limits}</ul></html>\n"
        )

    def _pictures(self) -> str:
        if not self.examples:
            return ""
        columns: list[tuple[str, list[npt.NDArray[np.uint8]]]] = []
        if all(one.input is not None for one in self.examples):
            columns.append(("input", [_stretched(one.input) for one in self.examples]))
        low, high = _ends(np.stack([one.target for one in self.examples]))
        columns.append(("target", [_coded(one.target, low, high) for one in self.examples]))
        columns.append(
            ("prediction, target's scale", [_coded(o.prediction, low, high) for o in self.examples])
        )
        columns.append(
            ("prediction, stretched", [_stretched(one.prediction) for one in self.examples])
        )
        for name in self.examples[0].drawn:
            drawn = [one.drawn[name] for one in self.examples]
            columns.append((name, [_coded(one, 0, 1) for one in drawn]))
        head = "".join(f"<th>{_e(name)}</th>" for name, _ in columns)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{_image(cells[i], name)}</td>" for name, cells in columns)
            + "</tr>"
            for i in range(len(self.examples))
        )
        return f'<h2>Pictures</h2><table class="pictures"><tr>{head}</tr>{body}</table>'


_STYLE = (
    "body{font:15px/1.45 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
    "section{border-left:4px solid #b3412f;padding:0 1em;margin:1em 0}"
    "th{text-align:left;font-weight:normal;padding-right:2em}.pictures th{font-size:12px}"
    ".pictures img{border:1px solid #aaa;image-rendering:pixelated;width:128px}"
)


def learned(measures: Measures) -> float:
    """Share of the way from one constant to a perfect answer that the loss has gone."""
    floors = measures.loss_floors
    way = floors["constant"] - floors["perfect"]
    return (floors["constant"] - measures.loss) / way if way > 0 else math.nan


def _e(text: str) -> str:
    return html.escape(text)


def _share(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{100 * value:.1f} %"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _ends(values: npt.NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)


def _coded(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    shown = np.clip((np.nan_to_num(values) - low) / max(high - low, 1e-12), 0, 1)
    return np.asarray(np.rint(255 * shown), np.uint8)


def _stretched(values: npt.NDArray[Any] | None) -> npt.NDArray[np.uint8]:
    assert values is not None
    return _coded(values, *_ends(values))


def _image(picture: npt.NDArray[np.uint8], name: str) -> str:
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    memory = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    times = max(1, -(-_SIDE // max(image.size)))
    image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST).save(
        memory, "PNG", optimize=True
    )
    data = base64.b64encode(memory.getvalue()).decode("ascii")
    return f'<img alt="{_e(name)}" src="data:image/png;base64,{data}">'
