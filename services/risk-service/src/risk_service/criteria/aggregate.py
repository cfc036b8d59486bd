"""The criteria: one stream per tenant."""

from events.kernel import Aggregate, AllWhere
from risk_service.criteria.domain import InForce, Publish, Published, decide, evolve

criteria = Aggregate[InForce, Publish, Published](
    kind="criteria",
    initial=InForce(),
    decide=decide,
    evolve=evolve,
    events=(Published,),
)

CRITERIA = AllWhere(InForce)
"""The need for the criteria in force: `given.only(CRITERIA)`."""
