from __future__ import annotations

from tests.score.fakes import task
from tutelage.score.exact import Exact


def test_only_blanks_at_the_ends_are_forgiven() -> None:
    one = task("capital of France?", "Paris")
    assert Exact().score(one, " Paris\n") == {"exact_match": 1.0}
    assert Exact().score(one, "paris") == {"exact_match": 0.0}
    assert Exact().score(one, "Paris.") == {"exact_match": 0.0}
    assert Exact().problem(one) == ""
