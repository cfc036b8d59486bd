"""The kernel that domains are written with: values, events, refusals, and what a decision may know.

A domain is pure. `decide` says what becomes true, `evolve` what is true now; `deadline`, `claims` and `announce` say
when somebody must look again, what nobody else may hold, and what other services hear; `react` says what we do when
they speak. Everything else is machinery and lives elsewhere.
"""

from events.kernel.aggregate import Aggregate, Decision, Upcaster
from events.kernel.given import Actor, Due, Given
from events.kernel.needs import AllWhere, Found, HolderOf, Need, NextNumber, RowsOf, StateOf
from events.kernel.news import News, React, Reaction
from events.kernel.refusals import Forbidden, NotFound, Refused, Unacceptable
from events.kernel.rows import Row, Vouched, fingerprint
from events.kernel.values import CONTRACTS, derived_id, event, public, stored_name, value

__all__ = [
    "CONTRACTS",
    "Actor",
    "Aggregate",
    "AllWhere",
    "Decision",
    "Due",
    "Forbidden",
    "Found",
    "Given",
    "HolderOf",
    "Need",
    "News",
    "NextNumber",
    "NotFound",
    "React",
    "Reaction",
    "Refused",
    "Row",
    "RowsOf",
    "StateOf",
    "Unacceptable",
    "Upcaster",
    "Vouched",
    "derived_id",
    "event",
    "fingerprint",
    "public",
    "stored_name",
    "value",
]
