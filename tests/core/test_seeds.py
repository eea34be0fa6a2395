from __future__ import annotations

from tutelage.core.ledger import Decision, LedgerEntry, Reason, tally
from tutelage.core.metric import Metric
from tutelage.core.seeds import seed_of, stream


def test_a_stream_is_the_same_whenever_it_is_asked_for() -> None:
    assert (
        stream("curate.split", 7).random(3).tolist() == stream("curate.split", 7).random(3).tolist()
    )


def test_streams_differ_by_name_and_by_root() -> None:
    seeds = {seed_of("a", 7), seed_of("b", 7), seed_of("a", 8)}
    assert len(seeds) == 3


def test_a_seed_is_pinned_and_fits_torch() -> None:
    assert seed_of("curate.split", 7) == 2707270037641826174
    assert all(0 <= seed_of(f"s{n}", n) < 2**63 for n in range(100))


def test_tally_counts_decisions_with_their_reasons() -> None:
    kept = LedgerEntry(row="1", stage="curate", decision=Decision.KEEP, reason=Reason.CLEAN)
    left = LedgerEntry(row="2", stage="curate", decision=Decision.DROP, reason=Reason.TOO_LONG)
    assert tally([left, kept, kept]) == {"drop.too_long": 1, "keep.clean": 2}


def test_a_metric_comes_back_from_its_plain_form() -> None:
    metric = Metric(
        metric="f1", suite="s", system="tuned", n=3, value=0.5, low=0.1, high=0.9, method="wilson"
    )
    assert Metric.from_dict(metric.to_dict()) == metric
    assert list(metric.to_dict()) == (
        [
            "metric",
            "suite",
            "system",
            "slice",
            "n",
            "value",
            "low",
            "high",
            "method",
            "unit",
            "baseline",
            "difference",
        ]
    )
    assert not metric.one_sided
