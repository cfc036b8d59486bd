"""Values, events, and the ids that follow from what they name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform
from uuid import UUID, uuid5

T = TypeVar("T")

NAMESPACE = UUID("6b0d6f7e-0f53-5c1e-9d1c-c105e100c105")
"""Root of every derived id; changing it would open every corrective action a second time."""


def derived_id(*parts: object) -> UUID:
    """The one id that follows from these parts: the same parts give the same id, in every process, for ever."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen, keyword-only dataclass that refuses unknown fields when it is read from JSON."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, kw_only=True, slots=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """A value that is stored for ever under this name and version, whatever the class is called later."""

    def store_under(cls: type[T]) -> type[T]:
        cls.__stored_name__ = name  # type: ignore[attr-defined]
        cls.__stored_version__ = version  # type: ignore[attr-defined]
        return value(cls)

    return store_under


def stored_name(of: object) -> tuple[str, int]:
    """Name and version under which an event, or a class of events, is stored or announced."""
    return of.__stored_name__, of.__stored_version__  # type: ignore[attr-defined]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def public(service: str, aggregate: str, name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """A value that other services hear, on `closeloop.<tenant>.<service>.<aggregate>.<name>.v<version>`."""

    def announce_as(cls: type[T]) -> type[T]:
        key = (service, name, version)
        if key in CONTRACTS:
            raise TypeError(f"{service} already announces {name} version {version}")
        made = event(name, version)(cls)
        made.__announced_by__ = (service, aggregate)  # type: ignore[attr-defined]
        CONTRACTS[key] = made
        return made

    return announce_as


CONTRACTS: dict[tuple[str, str, int], type] = {}
"""Every public event by (service, name, version); filled where the contracts are declared."""
