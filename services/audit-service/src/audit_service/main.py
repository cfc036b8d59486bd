"""The audit service on one page."""

from audit_service import audits, findings, follow_up_items, role_holders
from audit_service.permissions import ROLES
from chassis.routes import Service

service = Service(
    name="audit",
    title="Audits, findings, and who holds which role",
    features=(role_holders.feature, audits.feature, findings.feature, follow_up_items.feature),
    permissions=ROLES,
)
