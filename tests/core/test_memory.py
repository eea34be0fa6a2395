from __future__ import annotations

from tutelage.core.memory import peak_bytes


def test_the_peak_grows_by_what_is_held_and_stays() -> None:
    before = peak_bytes()
    held = bytearray(b"x") * (before + (64 << 20))
    after = peak_bytes()
    assert after - before > len(held) // 2
    del held
    assert peak_bytes() >= after
