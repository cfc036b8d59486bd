-- The core, version 0003: what is remembered when an older database is restored. Frozen, like 0001.
CREATE TABLE restores (
    number INTEGER NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_position BIGINT NOT NULL,
    goes_on_after BIGINT NOT NULL,
    lost INTEGER NOT NULL,
    PRIMARY KEY (number)
)
-- //
COMMENT ON TABLE restores IS 'Decisions to go on with an older database. Positions after last_position up to goes_on_after stay empty.'
-- //
CREATE TABLE lost_announcements (
    event_id UUID NOT NULL,
    position BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    stream UUID NOT NULL,
    public_version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    restore INTEGER NOT NULL,
    PRIMARY KEY (event_id, position)
)
-- //
COMMENT ON TABLE lost_announcements IS 'What others have heard from us and our log does not have. It counts when its restore was decided.'
-- //
CREATE INDEX ix_lost_announcements_place ON lost_announcements (tenant, stream, public_version)
-- //
ALTER TABLE relay ADD COLUMN stream_created TEXT NOT NULL DEFAULT '', ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0
-- //
ALTER TABLE listeners ADD COLUMN identity TEXT NOT NULL DEFAULT ''
-- //
CREATE FUNCTION accept_restore(created text, seen bigint) RETURNS restores LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
    decided restores;
BEGIN
    SELECT h.position INTO last FROM head h FOR UPDATE;
    INSERT INTO restores (number, decided_at, last_position, goes_on_after, lost)
        SELECT n.next, clock_timestamp(), last, greatest(last, max(l.position)), count(l.position)
        FROM (SELECT coalesce(max(r.number), 0) + 1 AS next FROM restores r) n
        LEFT JOIN lost_announcements l ON l.restore = n.next
        GROUP BY n.next
        RETURNING * INTO decided;
    UPDATE head SET position = decided.goes_on_after;
    -- Each number that was given since the backup belongs to some event that is gone, so this skips at least those.
    UPDATE numbers SET last = numbers.last + gone.positions
        FROM (SELECT max(l.position) - min(l.position) + 1 AS positions FROM lost_announcements l
              WHERE l.restore = decided.number) gone
        WHERE gone.positions > 0;
    UPDATE relay SET stream_created = created, sequence = seen;
    RETURN decided;
END
$$
