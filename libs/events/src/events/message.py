"""What travels between services, and is kept where it was given up or could not be understood."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """What travels: nothing in it was looked at."""

    subject: str
    headers: Mapping[str, str]
    body: bytes
