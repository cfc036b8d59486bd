"""Defects that are planted on purpose, and what the checker must say of each."""

from dataclasses import dataclass

from stack.copies import Change

CORE = "libs/events/src/events"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A defect, and the kind of fault under which it must come to light."""

    name: str
    kind: str
    named: str
    """What the checker must say: a search pattern."""
    changes: tuple[Change, ...] = ()
    flushes: bool = True
    """False: nothing in the sources is changed, but the servers do not flush to disk."""
    rounds: int = 5
    """Hits that it may take."""
    short: bool = False


def _in(file: str, old: str, new: str) -> Change:
    return Change(file=f"{CORE}/{file}", old=old, new=new)


_ANSWERED = """        await failpoint("W1")
        answers = await self._store.append([each.append for each in batch])
"""
_AT_ONCE = """        from events.store.port import Recorded
        for each in batch:
            a = each.append
            if not hasattr(a, "stream"):
                continue
            version = a.expected + len(a.events)
            done = Recorded(a.kind, a.stream, version, 0, a.status, a.fingerprint, a.origin, first=True)
            _settle(each, done)
"""
_ANOTHER_ID_EACH_TIME = _in(
    "bus/reacting.py", "derived_id(news.tenant, news.event, reaction.rule, reaction.key)", "__import__('uuid').uuid4()"
)

PLANTED = (
    Planted(
        name="a command is acknowledged before it is committed",
        kind="w1-before-append",
        named="lost: ",
        changes=(_in("store/writer.py", _ANSWERED, _AT_ONCE + _ANSWERED),),
        short=True,
    ),
    Planted(
        name="no record is kept of a command",
        kind="w2-appended",
        named="duplicated|no record of its command",
        changes=(
            _in(
                "store/append.sql",
                "UPDATE head SET position = top",
                "DELETE FROM commands; UPDATE head SET position = top",
            ),
        ),
        short=True,
    ),
    Planted(
        name="each try of a request is a command of its own",
        kind="w2-appended",
        named="no record of command",
        changes=(
            Change(
                file="libs/chassis/src/chassis/calls.py",
                old="self.operation, self.idempotency_key())",
                new="self.operation, self.idempotency_key(), __import__('time').time())",
            ),
        ),
    ),
    Planted(
        name="the relay's checkpoint moves past what was not acknowledged",
        kind="nats-half-open",
        named=r"is not on the bus|version \d+ is missing",
        changes=(
            _in(
                "bus/relay.py",
                "        if acked < len(tail.events):\n            return",
                "        if False:\n            return",
            ),
            _in("bus/relay.py", "        if last < position:\n", "        if False:\n"),
        ),
    ),
    Planted(
        name="the relay tells a broker that has lost everything only what is new",
        kind="nats-emptied",
        named=r"is not on the bus|version \d+ is missing",
        changes=(
            _in("bus/relay.py", "position = await self._rewound(epoch, position, 0)\n", "pass\n"),
            _in("bus/relay.py", "        if last < position:\n", "        if False:\n"),
        ),
        short=True,
    ),
    Planted(
        name="the relay trusts the position of another database",
        kind="database-restored-older",
        named="older database|has given up|noticed",
        changes=(_in("bus/relay.py", "if each.whose is Whose.STRANGE:", "if False:"),),
        rounds=2,
        short=True,
    ),
    Planted(
        name="nothing is flushed to disk",
        kind="power-cut",
        named="lost",
        flushes=False,
        short=True,
    ),
    Planted(
        name="the inbox moves on before the reaction is on disk",
        kind="w1-before-append",
        named="calls for was not done|no action for",
        changes=(
            _in(
                "bus/inbox.py",
                "await self._reactor.handle(self._source, item.message, mark.identity)\n"
                "                    except Transient",
                "await self._incoming.advance(self._source, {key: version + 1})\n"
                "                        await self._reactor.handle(self._source, item.message, mark.identity)\n"
                "                    except Transient",
            ),
        ),
        rounds=10,
    ),
    Planted(
        name="duplicates are known by the broker's message id alone",
        kind="told-anew",
        named="duplicated|phantom",
        changes=(
            _in("bus/inbox.py", "if _version(item) <= version or (parked", "if _version(item) == -1 or (parked"),
            _in("bus/inbox.py", "elif parked or _version(item) > version + 1:", "elif parked:"),
            _ANOTHER_ID_EACH_TIME,
        ),
    ),
    Planted(
        name="a reaction's command has another id each time",
        kind="w7a-reacted",
        named="calls for was not done",
        changes=(_ANOTHER_ID_EACH_TIME,),
    ),
    Planted(
        name="what is not understood is passed over",
        kind="poison",
        named="messages parked, and said so",
        changes=(_in("bus/inbox.py", "result.parked.append((item, str(refusal)))", "result.done.append(item)"),),
        rounds=1,
    ),
    Planted(
        name="claims are not kept",
        kind="killed",
        named="claim .* is not what its state says",
        changes=(
            _in("store/append.sql", "ON CONFLICT (tenant, key) DO NOTHING", "WHERE false ON CONFLICT DO NOTHING"),
        ),
    ),
    Planted(
        name="a deadline is not kept up to date",
        kind="killed",
        named="deadline of the state row is not what its events say|'due': [1-9]",
        changes=(
            _in(
                "store/append.sql",
                "shape = excluded.shape, state = excluded.state,\n                    deadline = excluded.deadline;",
                "shape = excluded.shape, state = excluded.state;",
            ),
        ),
    ),
    Planted(
        name="nobody looks whether somebody else was faster",
        kind="two-of-each",
        named="is not what its events say|duplicated",
        changes=(_in("store/append.sql", "IF row_version <> (item->>'expected')::integer THEN", "IF false THEN"),),
        rounds=10,
    ),
    Planted(
        name="old code writes over what newer code wrote",
        kind="rolling-upgrade",
        named="an older shape over a newer one",
        changes=(
            _in("store/append.sql", "IF row_shape > (item->>'shape')::integer THEN", "IF false THEN"),
            _in("handling.py", "if loaded.shape > aggregate.shape:", "if False:"),
        ),
        rounds=2,
    ),
)
