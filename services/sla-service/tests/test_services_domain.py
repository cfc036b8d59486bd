"""The catalogue: a key names one service for ever."""

from contracts.sla import ServiceListed, ServiceRetired
from events.testing import scenarios
from sla_service.services.aggregate import services
from sla_service.services.domain import Change, Changed, List, Listed, Retire, Retired

given = scenarios(services, at="2026-02-10T09:00:00Z")
listed = Listed(key="SVC-NET", name="Network", owner="p-ruiz", supplier="TeleNord")
retired = Retired(reason="replaced")


def test_a_service_is_listed_once() -> None:
    listing = List(key="SVC-NET", name="Network", owner="p-ruiz", supplier="TeleNord")
    heard = ServiceListed(service="SVC-NET", name="Network", owner="p-ruiz", supplier="TeleNord")
    given().when(listing).then(listed).then_announced(heard)
    given(listed).when(listing).then_refused("in the catalogue already", rule="8.2.4")
    given(listed, retired).when(listing).then_refused("it is retired", rule="8.2.4")


def test_its_owner_may_change_and_saying_the_same_changes_nothing() -> None:
    change = Change(name="Network", owner="p-weber", supplier="TeleNord")
    changed = Changed(name="Network", owner="p-weber", supplier="TeleNord")
    given(listed).when(change).then(changed).then_announced()
    given(listed, changed).when(change).then()


def test_a_retired_service_stays_as_it_was() -> None:
    given(listed).when(Retire(reason="replaced")).then(retired).then_announced(ServiceRetired(service="SVC-NET"))
    given(listed, retired).when(Retire(reason="again")).then_refused("was retired", rule="8.2.4")
    given().when(Retire(reason="x")).then_refused("no such service", status=404)
