from __future__ import annotations

from tutelage.core.memory import give_back, held_bytes, peak_bytes


def test_the_peak_grows_by_what_is_held_and_stays() -> None:
    before = peak_bytes()
    held = bytearray(b"x") * (before + (64 << 20))
    after = peak_bytes()
    assert after - before > len(held) // 2
    del held
    assert peak_bytes() >= after


def test_what_is_freed_in_pieces_goes_back_where_the_library_can() -> None:
    some = [bytes(64 << 10) + bytes([n % 256]) for n in range(2000)]
    kept = some[::50] + some[-1:]  # between and behind the others
    del some
    before = held_bytes()
    if give_back():
        assert held_bytes() < before - (50 << 20)
    assert len(kept) == 41
