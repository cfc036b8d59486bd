"""The policy: one stream per tenant."""

from events.kernel import Aggregate, AllWhere
from improvement_service.policies.domain import Adopt, Adopted, Policies, decide, evolve

policies = Aggregate[Policies, Adopt, Adopted](
    kind="policy",
    initial=Policies(),
    decide=decide,
    evolve=evolve,
    events=(Adopted,),
)

THE_POLICY = AllWhere(Policies)
"""The need for the tenant's policy: `given.only(THE_POLICY)`."""
