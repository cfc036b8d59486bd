"""The risk service on one page."""

from chassis.routes import Service
from duties.features import features as duties
from risk_service import criteria, risks, service_risks
from risk_service.permissions import ROLES

service = Service(
    name="risk",
    title="Risks: assessed, treated, accepted, and assessed anew",
    features=(criteria.feature, risks.feature, service_risks.feature, *duties),
    permissions=ROLES,
)
