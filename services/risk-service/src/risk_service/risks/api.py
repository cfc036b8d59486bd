"""The risk register over HTTP."""

from chassis.routes import Listing, Routes
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import (
    Accept,
    Assess,
    Close,
    CompleteTreatmentAction,
    EvaluateTreatment,
    PlanTreatment,
    Register,
    Reopen,
    Review,
)

routes = Routes(
    aggregate=risks,
    path="risks",
    noun="risk",
    read="risk.read",
    listing=Listing(
        filters=("status", "owner", "level", "service", "reference", "review_due"), sorts=("rank", "next_review")
    ),
)

routes.create(
    Register,
    permission="risk.register",
    summary="Register a risk",
    example={
        "title": "Single internet provider at DC2",
        "kind": "threat",
        "source": "other-party",
        "services": ["SVC-NET"],
        "customer_impact": "All customers at DC2 lose their connection",
        "cause": "One line from TeleNord, no second provider",
        "event": "The line fails",
        "consequence": "No service from DC2 until TeleNord has repaired it",
        "owner": "p-ruiz",
        "reference": "R-017",
    },
)
routes.act(
    "assessments",
    Assess,
    permission="risk.assess",
    summary="Assess a risk against the criteria in force",
    example={
        "inherent": {"likelihood": 4, "impact": 4},
        "current": {"likelihood": 3, "impact": 4},
        "rationale": "Two failures in three years; every customer at DC2 is hit",
    },
)
routes.act(
    "treatment",
    PlanTreatment,
    permission="risk.treat",
    summary="Plan the treatment of a risk",
    example={
        "option": "modify",
        "target": {"likelihood": 2, "impact": 4},
        "actions": [
            {"title": "Order a second line", "owner": "p-ruiz", "due": "2026-08-31", "expected_level": 8},
        ],
        "rationale": "A second provider costs less than one day without a connection",
    },
)
routes.act(
    "treatment-action-completion",
    CompleteTreatmentAction,
    permission="risk.treat",
    summary="Report an action of the treatment as done",
    example={"action": 1, "evidence": "Acceptance protocol of the second line"},
)
routes.act(
    "treatment-evaluation",
    EvaluateTreatment,
    permission="risk.assess",
    summary="Evaluate what the treatment achieved",
    example={"current": {"likelihood": 2, "impact": 4}, "rationale": "Switch-over tested twice"},
)
routes.act(
    "acceptance",
    Accept,
    permission="risk.accept",
    summary="Accept a risk as assessed, until a date",
    example={
        "approver": "p-lindqvist",
        "assessment": 1,
        "reason": "The second line is in the budget of the next quarter",
        "until": "2026-09-30",
    },
)
routes.act(
    "review",
    Review,
    permission="risk.review",
    summary="Reviewed, unchanged",
    example={"reason": "The finding concerns another site"},
)
routes.act("closure", Close, permission="risk.close", summary="Close a risk", example={"reason": "DC2 was given up"})
routes.act(
    "reopening", Reopen, permission="risk.close", summary="Reopen a risk", example={"reason": "DC2 is used again"}
)
