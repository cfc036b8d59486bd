"""Counts and figures as people say them."""

import re
from decimal import ROUND_HALF_UP, Decimal


def count(number: int, noun: str) -> str:
    """1 outage, 2 outages, 2 misses, 2 breaches"""
    ending = "" if number == 1 else "es" if noun.endswith(("s", "ch")) else "s"
    return f"{number} {noun}{ending}"


def figure(written: str) -> str:
    """94.172 min -> 94 min; 33.333 % of 3 -> 33.3 % of 3 incidents; others as they are."""
    if minutes := re.fullmatch(r"([\d.]+) min", written):
        return f"{_rounded(minutes[1], '1')} min"
    if share := re.fullmatch(r"([\d.]+) % of (\d+)", written):
        return f"{_rounded(share[1], '0.1')} % of {count(int(share[2]), 'incident')}"
    return written


def agreed(written: str) -> str:
    """90 % -> at least 90 %; 44.64 min -> at most 45 min"""
    return f"{'at least' if '%' in written else 'at most'} {figure(written)}"


def _rounded(number: str, place: str) -> str:
    return str(Decimal(number).quantize(Decimal(place), ROUND_HALF_UP))
