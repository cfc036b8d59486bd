-- The core tables of every service, version 0001. Frozen: changes come as further migrations.
CREATE TABLE business_clock (
    only_row SMALLINT NOT NULL CHECK (only_row = 1),
    ahead INTERVAL NOT NULL,
    PRIMARY KEY (only_row)
)
-- //
COMMENT ON TABLE business_clock IS 'How far business time is ahead of real time; always zero outside throwaway stacks.'
-- //
CREATE TABLE claims (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream UUID NOT NULL,
    PRIMARY KEY (tenant, key)
)
-- //
COMMENT ON TABLE claims IS 'What only one stream may hold at a time; follows from the states.'
-- //
CREATE INDEX ix_claims_stream ON claims (tenant, kind, stream)
-- //
CREATE TABLE commands (
    tenant TEXT NOT NULL,
    id UUID NOT NULL,
    origin TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream UUID NOT NULL,
    version INTEGER NOT NULL,
    position BIGINT NOT NULL,
    status SMALLINT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant, id)
)
-- //
COMMENT ON TABLE commands IS 'What each command came to: the first answer is the answer.'
-- //
CREATE TABLE dead_letters (
    id UUID NOT NULL,
    source TEXT NOT NULL,
    tenant TEXT,
    stream UUID,
    version INTEGER,
    subject TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    parked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
)
-- //
COMMENT ON TABLE dead_letters IS 'Messages that could not be handled. A parked one holds back later ones of its own stream only.'
-- //
CREATE INDEX ix_dead_letters_parked ON dead_letters (source, tenant, stream) WHERE status = 'parked'
-- //
CREATE TABLE events (
    position BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream UUID NOT NULL,
    version INTEGER NOT NULL,
    event_id UUID NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    public_type TEXT,
    public_schema INTEGER,
    public_body TEXT,
    public_version INTEGER,
    PRIMARY KEY (position),
    UNIQUE (tenant, kind, stream, version),
    UNIQUE (event_id)
)
-- //
COMMENT ON TABLE events IS 'Facts. Kept byte for byte; a trigger forbids change and removal.'
-- //
CREATE INDEX ix_events_feed ON events (tenant, position) WHERE public_body IS NOT NULL
-- //
CREATE INDEX ix_events_public ON events (position) WHERE public_body IS NOT NULL
-- //
CREATE INDEX ix_events_recorded_at ON events (recorded_at, position)
-- //
CREATE TABLE head (
    only_row SMALLINT NOT NULL CHECK (only_row = 1),
    position BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (only_row)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)
-- //
COMMENT ON TABLE head IS 'The last position and its time. Appends lock this row first, so positions are dense, in commit order.'
-- //
CREATE TABLE inbox (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    stream UUID NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, source, stream)
)
-- //
COMMENT ON TABLE inbox IS 'The last public version of each foreign stream that was handled.'
-- //
CREATE TABLE leases (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (name)
)
-- //
COMMENT ON TABLE leases IS 'Who leads. A lease only saves work: what it guards is also guarded by compare-and-set.'
-- //
CREATE TABLE listeners (
    source TEXT NOT NULL,
    stream_created TEXT NOT NULL,
    handled BIGINT NOT NULL,
    PRIMARY KEY (source)
)
-- //
COMMENT ON TABLE listeners IS 'Per source service: which JetStream stream we heard, and the sequence up to which all is handled.'
-- //
CREATE TABLE numbers (
    tenant TEXT NOT NULL,
    series TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (tenant, series)
)
-- //
COMMENT ON TABLE numbers IS 'Counters of human numbers; they may have gaps and are never ids.'
-- //
CREATE TABLE parked_deadlines (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream UUID NOT NULL,
    version INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    reason TEXT NOT NULL,
    parked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant, kind, stream)
)
-- //
COMMENT ON TABLE parked_deadlines IS 'Deadlines that did not move on when they were due: a bug, parked until the stream or its code changes.'
-- //
CREATE TABLE relay (
    only_row SMALLINT NOT NULL CHECK (only_row = 1),
    position BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (only_row)
)
-- //
COMMENT ON TABLE relay IS 'Everything up to this position is on the bus.'
-- //
CREATE TABLE side_rows (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    stream UUID NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    position BIGINT NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, stream, name, source, id)
)
-- //
COMMENT ON TABLE side_rows IS 'Evidence beside a stream, such as measurements. One id has one content in all streams.'
-- //
CREATE INDEX ix_side_rows_id ON side_rows (tenant, name, source, id)
-- //
CREATE TABLE states (
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    version INTEGER NOT NULL,
    public_version INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    state JSONB NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant, kind, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)
-- //
COMMENT ON TABLE states IS 'The current fold of each stream.'
-- //
CREATE INDEX ix_states_deadline ON states (deadline) WHERE deadline IS NOT NULL
-- //
CREATE TABLE waiting (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    stream UUID NOT NULL,
    version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (tenant, source, stream, version)
)
-- //
COMMENT ON TABLE waiting IS 'Messages whose predecessor has not been handled yet.'
-- //
INSERT INTO head (only_row, position, recorded_at) VALUES (1, 0, clock_timestamp())
-- //
INSERT INTO business_clock (only_row, ahead) VALUES (1, interval '0')
-- //
INSERT INTO relay (only_row, position, epoch) VALUES (1, 0, 0)
-- //
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is a record: its rows are neither changed nor removed', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$
-- //
CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION forbid_change()
-- //
CREATE TRIGGER events_are_not_emptied BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
-- //
CREATE TRIGGER side_rows_are_kept BEFORE UPDATE OR DELETE ON side_rows FOR EACH ROW EXECUTE FUNCTION forbid_change()
-- //
CREATE TRIGGER side_rows_are_not_emptied BEFORE TRUNCATE ON side_rows FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
