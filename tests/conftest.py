"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# how fast a machine draws examples says nothing about the code, and CI's may do other work
settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")
