"""Events and states to JSON and back: canonical, strict, and under names that outlive the classes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter

from events.kernel import Aggregate, Upcaster, stored_name


class UnknownEvent(Exception):
    """The log holds an event that this version of the code does not know: newer code wrote it."""


def canonical(data: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, UTF-8 as it is."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


_adapters: dict[Any, TypeAdapter[Any]] = {}


def adapter(of: Any) -> TypeAdapter[Any]:
    """The validator and serialiser of a type, built once."""
    if of not in _adapters:
        _adapters[of] = TypeAdapter(of)
    return _adapters[of]


def to_json(value: Any) -> str:
    """A value as canonical JSON."""
    return canonical(adapter(type(value)).dump_python(value, mode="json"))


def from_json(cls: type[Any], text: str) -> Any:
    """A value from JSON, strictly: no coercion between numbers, booleans and text."""
    return adapter(cls).validate_json(text, strict=True)


@dataclass(frozen=True)
class EventCodec:
    """The stored events of one aggregate: every name with its versions, and the way up from old ones."""

    classes: Mapping[tuple[str, int], type[Any]]
    upcasters: Mapping[tuple[str, int], Upcaster] = field(default_factory=dict)

    @classmethod
    def of(cls, aggregate: Aggregate[Any, Any, Any]) -> "EventCodec":
        """Read the names off the event classes; two classes under one name are a mistake."""
        classes: dict[tuple[str, int], type[Any]] = {}
        for each in aggregate.events:
            if classes.setdefault(stored_name(each), each) is not each:
                raise TypeError(f"two events of {aggregate.kind} are stored as {stored_name(each)}")
        return cls(classes, aggregate.upcasters)

    def encode(self, event: Any) -> tuple[str, int, str]:
        """(name, version, canonical JSON)."""
        key = stored_name(event)
        if self.classes.get(key) is not type(event):
            raise TypeError(f"{type(event).__qualname__} is not declared among the aggregate's events")
        return *key, to_json(event)

    def knows(self, name: str, version: int) -> bool:
        """Whether this event can be read; one that cannot was written by newer code."""
        while (name, version) not in self.classes and (name, version) in self.upcasters:
            version += 1
        return (name, version) in self.classes

    def decode(self, name: str, version: int, text: str) -> Any:
        """The event as today's class; older versions climb the upcasters first."""
        if (name, version) in self.classes:
            return from_json(self.classes[name, version], text)
        data = json.loads(text)
        while (name, version) in self.upcasters:
            data = self.upcasters[name, version](data)
            version += 1
        if (name, version) not in self.classes:
            raise UnknownEvent(f"{name} version {version}")
        return from_json(self.classes[name, version], canonical(data))


@cache
def codec_of(aggregate: Aggregate[Any, Any, Any]) -> EventCodec:
    """The codec of an aggregate, built once."""
    return EventCodec.of(aggregate)


def state_from_json(aggregate: Aggregate[Any, Any, Any], text: str) -> Any:
    """A state row's JSON as the aggregate's state."""
    return from_json(type(aggregate.initial), text)
