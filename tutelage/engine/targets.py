"""Which layers a recipe's targets name, and how PEFT is told of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from tutelage.core.errors import BadRow, BaseModelError
from tutelage.engine.site import Site


def choose_sites(sites: Sequence[Site], targets: tuple[str, ...] | None, head: Site) -> list[Site]:
    """The layers that are targets: by name, by the end of their path, or by a pattern for it.

    The head is one only where it is named.

    Raises: BaseModelError with every target that names no layer.
    """
    if targets is None:
        return list(sites)
    sites = [*sites, head]
    idle = [target for target in targets if not any(_names(target, site) for site in sites)]
    if idle or not targets:
        raise BaseModelError(
            "these targets name no layer",
            where="train.lora.targets",
            expected=f"some of {', '.join(sorted({site.name for site in sites}))}, or a regular "
            f"expression for a whole path such as {sites[0].path}",
            rows=[BadRow(where=target, problem=_problem(target)) for target in idle]
            or [BadRow(where="[]", problem="nothing is named, so nothing would be trained")],
        )
    return [site for site in sites if any(_names(target, site) for target in targets)]


def target_modules(chosen: Collection[str], sites: Sequence[Site]) -> list[str]:
    """What PEFT must be told to adapt these layers and no other: names, or else whole paths."""
    names = {path.rsplit(".", 1)[-1] for path in chosen}
    alike = {site.path for site in sites if site.name in names}
    return sorted(names if alike == set(chosen) else chosen)


def matches(pattern: str, path: str) -> bool:
    """Whether a regular expression matches a whole path; what is none matches nothing."""
    return _fault(pattern) is None and re.fullmatch(pattern, path) is not None


def _names(target: str, site: Site) -> bool:
    return site.path == target or site.path.endswith(f".{target}") or matches(target, site.path)


def _problem(target: str) -> str:
    fault = _fault(target)
    also = "" if fault is None else f"; as a regular expression it is not valid: {fault}"
    return f"no layer has this name, and it matches no path{also}"


def _fault(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None
