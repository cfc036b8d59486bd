"""Which services have no agreement: told whenever the list changes, in whatever order the news arrive."""

from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given as example
from hypothesis import strategies as st

from contracts.sla import CoverageCounted, ServiceListed, ServiceRetired, SlaActivated, SlaEnded
from events.kernel import News, derived_id
from events.testing import scenarios
from sla_service.coverage.aggregate import coverage
from sla_service.coverage.api import view
from sla_service.coverage.domain import AddAgreement, AddService, AgreementAdded, Counted, ServiceAdded
from sla_service.services.aggregate import services
from sla_service.services.domain import List, Retire

given = scenarios(coverage, at="2026-02-10T09:00:00Z")
SLA = derived_id("sla")


def test_a_service_without_an_agreement_is_counted_and_announced() -> None:
    given().when(AddService(service="SVC-MAIL")).then(
        ServiceAdded(service="SVC-MAIL"), Counted(without_sla=("SVC-MAIL",))
    ).then_announced(CoverageCounted(without_sla=1, services=("SVC-MAIL",)))


def test_an_agreement_heard_of_before_its_service_covers_it() -> None:
    heard = (AgreementAdded(sla=SLA, service="SVC-MAIL"), Counted(without_sla=()))
    given(*heard).when(AddService(service="SVC-MAIL")).then(ServiceAdded(service="SVC-MAIL")).then_announced()


def test_what_is_known_is_not_counted_again() -> None:
    heard = (AgreementAdded(sla=SLA, service="SVC-MAIL"), Counted(without_sla=()))
    given(*heard).when(AddAgreement(sla=SLA, service="SVC-MAIL")).then()


STREAMS = [
    [ServiceListed(service="A", name="a", owner="p", supplier=None), ServiceRetired(service="A")],
    [ServiceListed(service="B", name="b", owner="p", supplier=None)],
    [ServiceListed(service="C", name="c", owner="p", supplier=None)],
    *(
        [
            SlaActivated(number=n, service=service, customer="x", version=v, effective_from="2026-01-01")  # type: ignore[arg-type]
            for v in (1, 2)
        ]
        for n, service in (("SLA-1", "A"), ("SLA-2", "B"))
    ),
    [
        SlaActivated(number="SLA-3", service="C", customer="x", version=1, effective_from="2026-01-01"),  # type: ignore[arg-type]
        SlaEnded(number="SLA-3", service="C", customer="x", ended_on="2026-02-01"),  # type: ignore[arg-type]
    ],
]
ORDERS = st.permutations([stream for stream, news in enumerate(STREAMS) for _ in news])


@example(ORDERS, st.lists(st.booleans(), min_size=12, max_size=12))
def test_any_order_across_streams_ends_in_the_same_list(order: list[int], twice: list[bool]) -> None:
    from sla_service.coverage.react import react

    waiting = [list(stream) for stream in STREAMS]
    history: list[Any] = []
    for stream, again in zip(order, twice, strict=False):
        body = waiting[stream].pop(0)
        news = News(tenant="m", service="sla", stream=UUID(int=stream), event=SLA, at=given.time, body=body)
        for reaction in [*react(news)] * (2 if again else 1):
            history += given(*history).when(reaction.command).events
    state = coverage.fold(history)
    assert state.without_sla == ("C",)
    counted = [event for event in history if isinstance(event, Counted)]
    assert counted[-1].without_sla == ("C",)
    assert all(one != other for one, other in pairwise(counted)), "told only when it changes"


def test_coverage_follows_catalogue_and_agreements(world: Any, agree: Any) -> None:
    for key in ("SVC-ERP", "SVC-MAIL"):
        world.do(services, derived_id("service", "meridian", key), List(key=key, name=key, owner="p-ruiz"))
    world.in_force(*agree(service="SVC-ERP"))
    state = world.streams[derived_id("coverage", "meridian")].state
    assert view(state, world.now).services_without_sla == ("SVC-MAIL",)
    world.do(services, derived_id("service", "meridian", "SVC-MAIL"), Retire(reason="gone"))
    assert [heard.services for heard in world.heard(CoverageCounted)] == [
        ("SVC-ERP",),
        ("SVC-ERP", "SVC-MAIL"),
        ("SVC-MAIL",),
        (),
    ]
