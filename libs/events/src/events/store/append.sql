-- Appends a batch of decided commands in one statement: one lock, one transaction, one flush.
--
-- The lock on `head` comes first, so positions are dense and in commit order whatever rolls back or is killed, and
-- every check below is made under it. Checks in order: command id, version and shape, claims, side rows. A command
-- that loses leaves nothing behind; one that decided for no events leaves only its record.
--
-- Every look is written so that only the index serves it, row by row: the plans are kept by the session, and one made
-- while a table was small would read all of it when it is large.
CREATE FUNCTION append(batch jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    top bigint;
    at timestamptz;
    item jsonb;
    known commands%ROWTYPE;
    row_version integer;
    row_shape integer;
    row_public integer;
    held claims%ROWTYPE;
    clash side_rows%ROWTYPE;
    added integer;
    spoken integer;
BEGIN
    SELECT h.position, h.recorded_at INTO top, at FROM head h FOR UPDATE;
    -- A statement of its own: in the one above the clock would be read before the lock is granted.
    at := greatest(clock_timestamp(), at);

    FOR item IN SELECT value FROM jsonb_array_elements(batch) LOOP
        SELECT * INTO known FROM commands c
            WHERE c.tenant = item->>'tenant' AND c.id = (item->>'command')::uuid;
        IF FOUND THEN
            RETURN NEXT jsonb_build_object('is', 'recorded', 'first', false, 'kind', known.kind,
                'stream', known.stream, 'version', known.version, 'position', known.position,
                'status', known.status, 'fingerprint', known.fingerprint, 'origin', known.origin);
            CONTINUE;
        END IF;

        SELECT s.version, s.shape, s.public_version INTO row_version, row_shape, row_public FROM states s
            WHERE s.tenant = item->>'tenant' AND s.kind = item->>'kind' AND s.id = (item->>'stream')::uuid;
        IF NOT FOUND THEN
            row_version := 0; row_shape := 0; row_public := 0;
        END IF;
        IF row_version <> (item->>'expected')::integer THEN
            RETURN NEXT jsonb_build_object('is', 'version');
            CONTINUE;
        END IF;
        IF row_shape > (item->>'shape')::integer THEN
            RETURN NEXT jsonb_build_object('is', 'shape');
            CONTINUE;
        END IF;

        added := jsonb_array_length(item->'events');
        IF added > 0 THEN
            SELECT c.* INTO held FROM claims c
                WHERE c.tenant = item->>'tenant'
                  AND c.key = ANY (ARRAY(SELECT jsonb_array_elements_text(item->'claims')))
                  AND (c.kind, c.stream) <> (item->>'kind', (item->>'stream')::uuid)
                ORDER BY c.key LIMIT 1;
            IF FOUND THEN
                RETURN NEXT jsonb_build_object('is', 'claim', 'key', held.key, 'kind', held.kind,
                    'stream', held.stream);
                CONTINUE;
            END IF;

            IF jsonb_array_length(item->'rows') > 0 THEN
                SELECT s.* INTO clash
                    FROM jsonb_to_recordset(item->'rows') AS r(name text, source text, id text, body text)
                    CROSS JOIN LATERAL (
                        SELECT * FROM side_rows o WHERE o.tenant = item->>'tenant' AND o.name = r.name
                            AND o.source = r.source AND o.id = r.id AND o.body <> r.body LIMIT 1) s LIMIT 1;
                IF FOUND THEN
                    RETURN NEXT jsonb_build_object('is', 'row', 'name', clash.name, 'source', clash.source,
                        'id', clash.id);
                    CONTINUE;
                END IF;
                INSERT INTO side_rows (tenant, kind, stream, name, source, id, body, position, place)
                    SELECT item->>'tenant', item->>'kind', (item->>'stream')::uuid, r.name, r.source, r.id, r.body,
                           top + 1, r.place
                    FROM ROWS FROM (jsonb_to_recordset(item->'rows')
                            AS (name text, source text, id text, body text)) WITH ORDINALITY
                            AS r(name, source, id, body, place);
            END IF;

            INSERT INTO events (position, tenant, kind, stream, version, event_id, type, schema_version, data,
                                metadata, recorded_at, public_type, public_schema, public_body, public_version)
                SELECT top + e.n, item->>'tenant', item->>'kind', (item->>'stream')::uuid, row_version + e.n,
                       e.id, e.type, e.schema, e.data, item->>'metadata', at,
                       e.public_type, e.public_schema, e.public_body,
                       CASE WHEN e.public_body IS NOT NULL
                            THEN row_public + count(e.public_body) OVER (ORDER BY e.n) END
                FROM ROWS FROM (jsonb_to_recordset(item->'events')
                        AS (id uuid, type text, schema integer, data text,
                            public_type text, public_schema integer, public_body text)) WITH ORDINALITY
                        AS e(id, type, schema, data, public_type, public_schema, public_body, n);
            SELECT count(*) INTO spoken FROM jsonb_array_elements(item->'events') v
                WHERE v->>'public_body' IS NOT NULL;

            INSERT INTO states AS s (tenant, kind, id, version, public_version, shape, state, deadline)
                VALUES (item->>'tenant', item->>'kind', (item->>'stream')::uuid, row_version + added,
                        row_public + spoken, (item->>'shape')::integer, (item->>'state')::jsonb,
                        (item->>'deadline')::timestamptz)
                ON CONFLICT (tenant, kind, id) DO UPDATE SET version = excluded.version,
                    public_version = excluded.public_version, shape = excluded.shape, state = excluded.state,
                    deadline = excluded.deadline;

            DELETE FROM claims c
                WHERE c.tenant = item->>'tenant' AND c.kind = item->>'kind' AND c.stream = (item->>'stream')::uuid
                  AND c.key NOT IN (SELECT jsonb_array_elements_text(item->'claims'));
            INSERT INTO claims (tenant, key, kind, stream)
                SELECT DISTINCT item->>'tenant', k, item->>'kind', (item->>'stream')::uuid
                FROM jsonb_array_elements_text(item->'claims') k
                ON CONFLICT (tenant, key) DO NOTHING;
            top := top + added;
        END IF;

        INSERT INTO commands (tenant, id, origin, fingerprint, kind, stream, version, position, status, decided_at)
            VALUES (item->>'tenant', (item->>'command')::uuid, item->>'origin', item->>'fingerprint', item->>'kind',
                    (item->>'stream')::uuid, row_version + added, top, (item->>'status')::smallint, at);
        RETURN NEXT jsonb_build_object('is', 'recorded', 'first', true, 'kind', item->>'kind',
            'stream', item->>'stream', 'version', row_version + added, 'position', top,
            'status', (item->>'status')::smallint, 'fingerprint', item->>'fingerprint', 'origin', item->>'origin');
    END LOOP;

    UPDATE head SET position = top, recorded_at = at WHERE position < top;
END
$$;
