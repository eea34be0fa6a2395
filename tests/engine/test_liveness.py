"""What counts as the released model, the bare base, or neither."""

from __future__ import annotations

import math

import pytest

from tutelage.core.errors import BaseModelError
from tutelage.engine.liveness import Fingerprint, apart, check_alive, check_change

RELEASED = Fingerprint(base=(-3.0, -4.0), tuned=(-1.0, -2.0))


def test_noise_of_another_processor_is_allowed() -> None:
    check_alive(RELEASED, (-1.04, -2.04))


def test_part_of_the_way_to_the_base_is_another_model() -> None:
    with pytest.raises(BaseModelError, match="does not score") as raised:
        check_alive(RELEASED, (-1.9, -2.9))
    assert raised.value.rows[0].problem == "0.9000 nats a token from it"


def test_the_base_itself_is_told_as_an_adapter_that_changes_nothing() -> None:
    with pytest.raises(BaseModelError, match="changes nothing"):
        check_alive(RELEASED, (-2.9, -3.9))
    faint = Fingerprint(base=(-1.0, -2.0), tuned=(-1.004, -2.004))
    check_alive(faint, (-1.004, -2.004))
    with pytest.raises(BaseModelError, match="changes nothing"):
        check_alive(faint, (-1.0, -2.0))


def test_without_a_base_the_tuned_scores_alone_decide() -> None:
    bare = Fingerprint(base=None, tuned=(-1.0, -2.0))
    check_change(bare)
    check_alive(bare, (-1.0, -2.01))
    with pytest.raises(BaseModelError, match="does not score"):
        check_alive(bare, (-1.5, -2.5))


def test_an_adapter_that_changes_nothing_is_not_released() -> None:
    with pytest.raises(BaseModelError, match="changes nothing"):
        check_change(Fingerprint(base=(-1.0, -2.0), tuned=(-1.0, -2.0005)))


def test_scores_that_are_no_numbers_never_pass() -> None:
    with pytest.raises(BaseModelError, match="no finite numbers") as raised:
        check_change(Fingerprint(base=(-1.0, -2.0), tuned=(math.nan, -2.0)))
    assert raised.value.rows[0].problem == "1 of 2 tokens"
    with pytest.raises(BaseModelError, match="does not score"):
        check_alive(RELEASED, (math.nan, -2.0))


def test_other_lengths_are_infinitely_apart() -> None:
    assert apart((-1.0,), (-1.0, -2.0)) == math.inf


def test_a_fingerprint_comes_back_from_its_form() -> None:
    for one in (RELEASED, Fingerprint(base=None, tuned=(-1.0,))):
        assert Fingerprint.from_dict(one.to_dict()) == one
