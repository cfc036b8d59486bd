"""Role holders over HTTP.

Every assignment, a person's first or any later one, is a POST to the collection: the id follows from the person, and
overlaps are refused by what is assigned already, so that no version need be known.
"""

from audit_service.role_holders.aggregate import role_holder_id, role_holders
from audit_service.role_holders.domain import Assign, End
from chassis.routes import Listing, Routes

routes = Routes(
    aggregate=role_holders,
    path="role-holders",
    noun="role holder",
    read="role-holder.read",
    listing=Listing(filters=("person",)),
)
routes.create(
    Assign,
    permission="role-holder.assign",
    summary="Assign a role to a person",
    example={"person": "l-brandt", "role": "service-operator", "service": "SVC-ERP", "since": "2024-01-01"},
    id_of=lambda tenant, command: role_holder_id(tenant, command.person),
)
routes.act(
    "endings",
    End,
    permission="role-holder.assign",
    summary="End an assignment with its last day",
    example={
        "assignment": "5f0b7c1e-7a55-5d0a-9a53-0d6f3b0c8a11",
        "until": "2025-11-30",
        "reason": "Moved to internal audit",
    },
)
