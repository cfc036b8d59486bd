"""The improvement service on one page."""

from chassis.routes import Service
from duties.features import features as duties
from improvement_service import corrective_actions, measures, policies
from improvement_service.permissions import ROLES

service = Service(
    name="improvement",
    title="Corrective actions, from occasion to proven effect",
    features=(policies.feature, corrective_actions.feature, measures.feature, *duties),
    permissions=ROLES,
)
