from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cleanplate import metrics
from cleanplate.evaluation import MetricSettings, PairScore, Scores, as_document, as_table


def scores(settings: MetricSettings | None = None, **more: float) -> Scores:
    rows = (
        PairScore("a", {"mad": 0.01, "iou": 0.9, "seconds": 0.5, **more}),
        PairScore("b", {"mad": 0.03, "iou": 0.5}, refused="another scene\ntry again"),
    )
    return Scores("net", "abc", "clean", True, settings or MetricSettings(), rows)


def cells(table: str, block: int = 0) -> dict[str, str]:
    """Heading -> value of the only line of a block, read by the columns' right edges."""
    _, heading, line = table.split("\n\n")[block].splitlines()
    found: dict[str, str] = {}
    end = 0
    for name in ["model", "variant", "pairs", "MAD e3", "MAD", "IoU", "ms/frame", "d<1.25"]:
        if f" {name}" in heading or heading.startswith(name):
            end = heading.index(name) + len(name)
            found[name] = line[:end].split("  ")[-1].strip()
    return found


def test_table_shows_means_in_the_units_of_its_headings() -> None:
    got = cells(as_table([scores()]))
    assert got["pairs"] == "2"
    assert got["MAD e3"] == "20.00"
    assert got["IoU"] == "0.700"
    assert got["ms/frame"] == "500.0"
    assert "net + plate depth" in as_table([scores()])
    assert "refused by net (clean), counted as an empty matte: b" in as_table([scores()])


def test_a_convention_with_its_own_factor_is_not_scaled_again() -> None:
    table = as_table([scores(MetricSettings(convention=metrics.RVM))])
    assert "convention rvm" in table
    assert "MAD e3" not in table
    assert cells(table)["MAD"] == "0.02"


def test_depth_has_its_own_block_and_missing_scores_a_dash() -> None:
    table = as_table([scores(aligned_delta1=0.75, ordinal=1), scores(ordinal=0.5), scores()])
    matte, depth = (block.splitlines() for block in table.split("\n\n")[:2])
    assert len(matte) == 5
    # One line less: the third has no depth at all.
    assert [line.split()[-2:] for line in depth[1:]] == [
        ["d<1.25", "order"],
        ["0.750", "1.000"],
        ["-", "0.500"],
    ]


def test_depth_alone_makes_no_alpha_block() -> None:
    alone = Scores(
        "row",
        None,
        "clean",
        False,
        MetricSettings(),
        (PairScore("a", {"seconds": 1, "ordinal": 1}),),
    )
    assert as_table([alone]).startswith("Depth")


def test_document_is_json_with_settings_and_definitions() -> None:
    document = as_document([scores(sad=float("nan"))])
    text = json.dumps(document, allow_nan=False)
    (result,) = json.loads(text)["results"]
    assert result["model"] == "net"
    assert result["model_hash"] == "abc"
    assert result["plate_depth"] is True
    assert result["means"]["mad"] == pytest.approx(0.02)
    assert result["means"]["sad"] is None
    assert result["counts"] == {"mad": 2, "iou": 2, "seconds": 1, "sad": 1}
    assert result["refused"] == {"b": "another scene\ntry again"}
    assert result["rows"][0] == {"name": "a", "mad": 0.01, "iou": 0.9, "seconds": 0.5, "sad": None}
    assert document["metric_settings"]["convention"]["name"] == "plain"
    assert document["versions"]["numpy"]
    assert "cap" in document["conventions"]["aligned_*"]
    band = as_document([scores(MetricSettings(convention=metrics.BGMV2, trimap_radius=7))])
    assert "7 px" in band["conventions"]["mad"]


def test_a_mean_that_is_not_over_all_pairs_is_noted() -> None:
    rows = (PairScore("a", {"mad": 0.01, "ordinal": 0.5}), PairScore("b", {"mad": 0.03}))
    table = as_table([replace(scores(), rows=rows)])
    assert "mean over fewer than 2 pairs, net (clean): order (1)" in table
