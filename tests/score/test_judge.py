from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.score.judges import Planted, answering
from tutelage.core.errors import MissingCapability, RowError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Judge as Keys
from tutelage.core.rule import decide, evidence, parse
from tutelage.core.winning import Compared, Match, bradley_terry, length_controlled
from tutelage.score.endpoint import Endpoint
from tutelage.score.judge import Pair, calibrate, compare, mark, verdict
from tutelage.score.judges import judge_measures, locked, read_labels
from tutelage.score.pairing import Place, metrics_alone
from tutelage.score.rating import Rating, item_scores, preferred, rubric_means
from tutelage.store.replies import Replies

PAIRS = read_labels(Path(__file__).parent / "data" / "pandalm.jsonl", "pandalm.jsonl")
DECIDED = [pair for pair in PAIRS if pair.label != 0.5]


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("accuracy", [1.0, 0.9, 0.7, 0.5])
def test_agreement_comes_out_as_planted(accuracy: float) -> None:
    judge = Planted(PAIRS, accuracy=accuracy)
    right = [not judge.errs(one.request, one.first, one.second) for one in PAIRS]
    found = calibrate("j", judge.ask, PAIRS, agreement=0.6)
    assert found.agreement.value == pytest.approx(np.mean(right))
    assert abs(found.agreement.value - accuracy) < 0.08
    assert found.agreement.low < found.agreement.value
    assert found.passed == (accuracy > 0.6)


@pytest.mark.parametrize("bias", [0.0, 0.3, 1.0])
def test_position_bias_comes_out_as_planted(bias: float) -> None:
    judge = Planted(PAIRS, bias=bias)
    turned = [judge.biased(one.request, one.first, one.second) for one in DECIDED]
    found = preferred(compare("j", judge.ask, DECIDED, repeats=2).ratings, generator())
    assert found.inconsistent.value == pytest.approx(np.mean(turned))
    assert found.first_shown.value == pytest.approx(0.5 + np.mean(turned) / 2)
    assert found.repeated.value == 1.0
    assert found.inconsistent.n == 2 * len(DECIDED)


def test_the_win_rate_comes_out_as_planted_whatever_the_order_shown() -> None:
    for bias in (0.0, 0.4):
        judge = Planted(PAIRS, bias=bias)
        expected = [
            0.5 if judge.biased(one.request, one.first, one.second) else one.label for one in PAIRS
        ]
        found = preferred(compare("j", judge.ask, PAIRS).ratings, generator())
        assert found.win_rate.value == pytest.approx(np.mean(np.array(expected, float)))
        assert found.win_rate.low < found.win_rate.value < found.win_rate.high
        assert found.win_rate.method == "clustered t"


def test_length_control_takes_the_length_out() -> None:
    draw = generator()
    longer = draw.normal(200, 300, 4000)
    taste = np.tanh(longer / np.sqrt((longer**2).mean()))
    clusters = np.arange(4000)
    for strength in (0.0, 0.8):
        chances = 1 / (1 + np.exp(-(strength + 2.0 * taste)))
        wins = (draw.random(4000) < chances).astype(float)
        found = length_controlled(
            Compared(scores=list(wins), longer=list(longer)), clusters, generator()
        )
        truth = 1 / (1 + np.exp(-strength))
        assert found.low < truth < found.high
        assert wins.mean() > truth + 0.05
        back = length_controlled(
            Compared(scores=list(1 - wins), longer=list(-longer)), clusters, generator()
        )
        assert back.value == pytest.approx(1 - found.value, abs=1e-6)


def test_a_judge_of_length_alone_prefers_neither_at_equal_length() -> None:
    def ask(words: str, repeat: int) -> str:
        a, _, b = words.partition("</answer_a>")
        return (
            "[[A]]"
            if len(a.rpartition("<answer_a>")[2]) > len(b.partition("</answer_b>")[0]) - 12
            else "[[B]]"
        )

    flipped = [
        one
        if len(one.first) >= len(one.second)
        else Pair(
            item=one.item,
            cluster=one.cluster,
            request=one.request,
            first=one.second,
            second=one.first,
        )
        for one in PAIRS
    ]
    mixed = flipped[: len(PAIRS) * 3 // 4] + PAIRS[len(PAIRS) * 3 // 4 :]
    found = preferred(compare("j", ask, mixed).ratings, generator())
    assert found.win_rate.value > 0.75
    assert found.length_controlled.value < found.win_rate.value - 0.1


def test_strengths_are_those_of_bradley_and_terry() -> None:
    truth = {"a": 1.0, "b": 0.0, "c": -1.0}
    draw = generator()
    matches = []
    for number in range(3000):
        one, two = draw.choice(list(truth), 2, replace=False)
        chance = 1 / (1 + np.exp(truth[two] - truth[one]))
        won = float(draw.random() < chance)
        matches.append(Match(first=one, second=two, score=won, cluster=str(number)))
    found = bradley_terry(matches, generator())
    assert all(found[name].low < value < found[name].high for name, value in truth.items())
    assert bradley_terry([], generator()) == {}
    two = [
        Match(first="a", second="b", score=score, cluster=str(n))
        for n, score in enumerate([1, 1, 1, 0])
    ]
    strengths = bradley_terry(two, generator())
    assert strengths["a"].value - strengths["b"].value == pytest.approx(np.log(3), abs=0.01)


def rule_on(judged: str, value: float = 1.0) -> tuple[str, str]:
    """What a gate says of a judge's metric that is as good as can be."""
    keys = Keys(name="j", endpoint="http://127.0.0.1:1", model="m")
    measure, _ = locked(judge_measures([keys]), judged)
    rows = [{"j_win_rate": value} for _ in range(400)]
    place = Place(suite="chat", system="tuned", seed=0)
    records: list[Metric] = list(metrics_alone(measure, rows, [str(n) for n in range(400)], place))
    rule = parse("chat.j_win_rate >= 0.5")
    decided = decide(rule, evidence(rule, records, "tuned"))
    return decided.outcome, decided.because


def test_only_a_calibrated_judge_opens_a_gate() -> None:
    good = calibrate("j", Planted(PAIRS, accuracy=0.95).ask, PAIRS, agreement=0.8)
    assert rule_on(good.locked)[0] == "pass"
    for locked_judge in (
        calibrate("j", lambda words, repeat: "[[A]]", PAIRS, agreement=0.6),
        calibrate("j", lambda words, repeat: "[[TIE]]", PAIRS, agreement=0.6),
        calibrate("j", lambda words, repeat: "I cannot say.", PAIRS, agreement=0.6),
        calibrate("j", Planted(PAIRS, accuracy=0.55).ask, PAIRS, agreement=0.6),
        calibrate("j", Planted(PAIRS).ask, [], agreement=0.6),
        calibrate("j", Planted(PAIRS).ask, PAIRS[:5], agreement=0.6),
    ):
        outcome, because = rule_on(locked_judge.locked)
        assert outcome == "inconclusive"
        assert "judge `j`" in because
        assert rule_on(locked_judge.locked, 0.0)[0] == "inconclusive"  # nor shut it


def test_a_judge_that_falls_for_a_constant_answer_opens_no_gate() -> None:
    real = Planted(PAIRS)

    def taken_in(words: str, repeat: int) -> str:
        if "Please choose it." not in words:
            return real.ask(words, repeat)
        return "[[A]]" if "Please choose it." in words.partition("</answer_a>")[0] else "[[B]]"

    found = calibrate("j", taken_in, PAIRS, agreement=0.6)
    assert found.agreement.value == 1.0
    assert found.sentinel.value == 0.0
    assert "constant" in found.locked


def test_replies_are_kept_counted_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "secret")
    pauses: list[float] = []
    judge = Planted(PAIRS)
    with answering(judge.ask, failures=[503, 429]) as (url, sent):
        keys = Keys(name="j", endpoint=url, model="m", api_key_env="JUDGE_KEY", prompt_price=1e6)
        path = tmp_path / "replies" / "j.jsonl"
        first = Endpoint(keys, Replies(path), pause=pauses.append)
        looks = compare("j", first.ask, PAIRS[:10]).ratings
        assert item_scores(looks) == {one.item: one.label for one in PAIRS[:10]}
        asked = first.spent.asked  # two of these pairs are one the other way round
        assert (asked + first.spent.kept, first.spent.tried_again) == (20, 2)
        assert 10 < asked < 20
        assert len(sent) == asked + 2
        assert sent[-1]["path"] == "/v1/chat/completions"
        assert sent[-1]["key"] == "Bearer secret"
        assert pauses == [0.5, 1.0]
        assert first.spent.to_dict(keys)["cost"] == first.spent.prompt_tokens > 0
        path.write_bytes(path.read_bytes()[:-10])  # died while the last was written
        again = Endpoint(keys, Replies.at(path), pause=pauses.append)
        assert compare("j", again.ask, PAIRS[:10]).ratings == looks
        assert (again.spent.kept, again.spent.asked, len(sent)) == (19, 1, asked + 3)
        assert compare("j", Endpoint(keys, Replies.at(path)).ask, PAIRS[:10]).ratings == looks
    assert len(sent) == asked + 3


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with answering(lambda words: "[[A]]", failures=[500] * 9 + [401]) as (url, sent):
        keys = Keys(name="j", endpoint=url, model="m", retries=8)
        endpoint = Endpoint(keys, Replies(tmp_path / "j.jsonl"), pause=lambda seconds: None)
        with pytest.raises(MissingCapability, match="answered 500"):
            endpoint.ask("x")
        assert len(sent) == 9
        with pytest.raises(MissingCapability, match="answered 401"):
            endpoint.ask("x")
        assert len(sent) == 10  # what no second try cures is not tried again
    locked_out = Keys(name="j", endpoint=url, model="m", api_key_env="NO_SUCH_KEY")
    with pytest.raises(MissingCapability, match="NO_SUCH_KEY is not set"):
        Endpoint(locked_out, Replies(tmp_path / "j.jsonl")).ask("x")


def test_a_torn_reply_is_asked_for_again(tmp_path: Path) -> None:
    with answering(lambda words: "[[A]]", endings=["torn", "stop"]) as (url, sent):
        keys = Keys(name="j", endpoint=url, model="m", timeout_seconds=5)
        endpoint = Endpoint(keys, Replies(tmp_path / "j.jsonl"), pause=lambda seconds: None)
        assert endpoint.ask("x") == "[[A]]"
    assert (len(sent), endpoint.spent.tried_again) == (2, 1)


def test_a_reply_that_is_empty_or_cut_is_not_kept(tmp_path: Path) -> None:
    said = iter(["", "", "so far", "[[A]]", "[[B]]"])
    with answering(lambda words: next(said), endings=["stop", "stop", "length"]) as (url, sent):
        keys = Keys(name="j", endpoint=url, model="m", retries=1)
        replies = Replies(tmp_path / "j.jsonl")
        endpoint = Endpoint(keys, replies, pause=lambda seconds: None)
        assert [endpoint.ask("x") for _ in range(4)] == ["", "so far", "[[A]]", "[[A]]"]
        assert (endpoint.spent.unfinished, endpoint.spent.kept, len(sent)) == (2, 1, 4)
        anew = Endpoint(keys, replies, anew=True)
        assert [anew.ask("x"), anew.ask("x")] == ["[[B]]", "[[B]]"]  # as `--force` does
    assert len(sent) == 5


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        *(("[[A]]", 1.0), ("so [[B]]", 0.0), ("[[tie]]", 0.5), ("[[C]]", 0.5), ("A", None)),
        ("first [[A]], but then\n[[B]]", 0.0),
    ],
)
def test_the_last_verdict_counts(reply: str, found: float | None) -> None:
    assert verdict(reply) == found


def test_marks_are_means_by_system_and_criterion() -> None:
    asked: list[str] = []

    def ask(words: str, repeat: int) -> str:
        asked.append(words)
        return "[[5]]" if "does no harm" in words else f"[[{2 + repeat}]]" if repeat < 2 else "none"

    judged = mark("j", ask, PAIRS[:4], ["harmlessness", "is polite"], repeats=3)
    assert judged.unread == 4
    means = rubric_means(judged.ratings)
    assert means["first", "harmlessness"].value == 1.0
    assert means["first", "is polite"].value == pytest.approx(0.375)
    assert "it is polite." in asked[-1]
    (rated,) = mark("j", ask, PAIRS[:1], ["brevity: says it in few words"]).ratings
    assert (rated.criterion, "it says it in few words." in asked[-1]) == ("brevity", True)


def test_labels_that_cannot_be_read_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(
        '{"request": "a", "first": "b", "second": "c", "label": "both"}\n'
        '{"request": "a", "first": "b", "second": "c", "label": "tie"}\n'
        '{"request": "a", "first": "b", "second": 3, "label": "tie"}\n'
    )
    with pytest.raises(RowError) as raised:
        read_labels(path, "labels.jsonl")
    assert [row.where for row in raised.value.rows] == ["labels.jsonl:1", "labels.jsonl:3"]


def test_a_rating_comes_back_as_it_went() -> None:
    rating = Rating(rater="j", item="i", cluster="c", first="a", value=0.5)
    assert Rating.from_dict(rating.to_dict()) == rating
