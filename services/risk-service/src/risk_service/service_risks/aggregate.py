"""The risks of each service, as the machinery sees them."""

from events.kernel import Aggregate
from risk_service.service_risks.domain import (
    Command,
    Event,
    NewsHeard,
    RiskLinked,
    RiskTouched,
    ServiceRisks,
    decide,
    evolve,
)
from risk_service.service_risks.messages import announce

service_risks = Aggregate[ServiceRisks, Command, Event](
    kind="service-risks",
    initial=ServiceRisks(),
    decide=decide,
    evolve=evolve,
    announce=announce,
    events=(RiskLinked, NewsHeard, RiskTouched),
)
