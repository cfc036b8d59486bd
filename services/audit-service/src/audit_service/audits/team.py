"""Who may act for an audit, and on what evidence: nobody but its team, and nothing that the team prepared (A-06)."""

from collections.abc import Iterable

from audit_service.audits.state import Audit
from audit_service.evidence import Evidence
from events.kernel import Forbidden, Given, Refused


def refuse_own_evidence(team: Iterable[str], evidence: Iterable[Evidence]) -> None:
    """Refuse evidence that somebody on the team has prepared."""
    team = frozenset(team)
    for each in evidence:
        if each.prepared_by in team:
            raise Refused(
                f"{each.prepared_by} prepared {each.source} and cannot judge by it",
                rule="A-06",
                person=each.prepared_by,
                source=each.source,
            )


def refuse_outsider(audit: Audit, given: Given) -> None:
    """Refuse whoever is not on the team, whose independence has been looked at."""
    if given.by.person not in audit.team:
        raise Forbidden(f"{given.by.person} is not on the team of {audit.number}", rule="A-06", team=list(audit.team))
