"""How the people of the story list services, agree SLAs about them, and report what they measure."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from stack.client import Object
from stack.demo.cast import MONITOR, RUIZ, Person
from stack.demo.recount import ResolutionTarget
from stack.demo.stage import Stage

MOST_SAMPLES = 500


def list_service(stage: Stage, key: str, name: str, supplier: str | None = None) -> Object:
    """A service belongs to the catalogue."""
    return stage.make(RUIZ, "sla", "services", {"key": key, "name": name, "owner": RUIZ.id, "supplier": supplier})


def agree(
    stage: Stage, service: str, customer: str, targets: list[Object], zone: str, starts: date, source: str
) -> Object:
    """Draft an agreement and have both sides sign it; it is in force from its first day on."""
    terms = {
        "parties": [{"name": "Meridian", "role": "provider"}, {"name": customer, "role": "customer"}],
        "targets": targets,
        "time_zone": zone,
        "measurement": {"source": source, "method": "as reported, round the clock"},
        "review_every_days": 90,
        "audience": [customer],
        "effective_from": starts.isoformat(),
    }
    sla = stage.make(RUIZ, "sla", "slas", {"service": service, "customer": customer, "terms": terms})
    caller, path = stage.caller(RUIZ), f"slas/{sla['id']}"
    for side, person in (("provider", RUIZ.id), ("customer", f"c-{customer}")):
        signature = {"side": side, "person": person, "on": stage.now.date().isoformat()}
        sla = caller.post("sla", f"{path}/signature", signature, version=sla["version"])
    return sla


def resolution_target(target: ResolutionTarget) -> Object:
    """The body of a resolution-time target."""
    body: dict[str, Any] = {
        "metric": "resolution-time",
        "key": target.key,
        "priority": target.priority,
        "within": int(target.within / timedelta(seconds=1)),
    }
    if target.percent is not None:
        return {**body, "percent": str(target.percent)}
    return {**body, "misses_allowed": target.misses_allowed}


def availability_target(key: str, percent: Decimal) -> Object:
    """The body of an availability target."""
    return {"metric": "availability", "key": key, "percent": str(percent)}


def report(stage: Stage, service: str, source: str, samples: Iterable[Object], by: Person = MONITOR) -> int:
    """Post samples of one service in batches; how many there were."""
    found = list(samples)
    for start in range(0, len(found), MOST_SAMPLES):
        batch = found[start : start + MOST_SAMPLES]
        stage.make(by, "sla", "measurements", {"service": service, "source": source, "samples": batch})
    return len(found)


def instant(at: datetime | None) -> str | None:
    """As it is written in a sample."""
    return at.isoformat() if at else None
