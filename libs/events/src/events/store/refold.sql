-- Replaces what is derived from streams (row in `states`, claims) by a fold that was made outside, stream by stream.
--
-- The lock on `head` comes first, as in `append`: so nobody appends between the look and the change, and two who fold
-- at once follow each other. A row is changed only if its version and shape are those that were read, and if the fold
-- tells of the last event: what has moved on meanwhile is left alone. State, deadline, claims, shape and both versions
-- change together. A fold of no event removes what is there.
CREATE FUNCTION refold(batch jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    item jsonb;
    kept states%ROWTYPE;
    held claims%ROWTYPE;
    keys text[];
    kept_keys text[];
    last integer;
BEGIN
    PERFORM 1 FROM head FOR UPDATE;

    FOR item IN SELECT value FROM jsonb_array_elements(batch) LOOP
        SELECT s.* INTO kept FROM states s
            WHERE s.tenant = item->>'tenant' AND s.kind = item->>'kind' AND s.id = (item->>'stream')::uuid;
        IF NOT FOUND THEN
            kept.version := 0; kept.shape := 0;
        END IF;
        SELECT e.version INTO last FROM events e
            WHERE e.tenant = item->>'tenant' AND e.kind = item->>'kind' AND e.stream = (item->>'stream')::uuid
            ORDER BY e.version DESC LIMIT 1;
        IF kept.version <> (item->>'seen_version')::integer OR kept.shape <> (item->>'seen_shape')::integer
                OR coalesce(last, 0) <> (item->>'version')::integer THEN
            RETURN NEXT jsonb_build_object('is', 'moved');
            CONTINUE;
        END IF;
        IF kept.shape > (item->>'shape')::integer THEN
            RETURN NEXT jsonb_build_object('is', 'newer');
            CONTINUE;
        END IF;

        keys := ARRAY(SELECT jsonb_array_elements_text(item->'claims') ORDER BY 1);
        kept_keys := ARRAY(SELECT c.key FROM claims c WHERE c.tenant = item->>'tenant' AND c.kind = item->>'kind'
            AND c.stream = (item->>'stream')::uuid ORDER BY 1);

        IF last IS NULL THEN
            DELETE FROM states s
                WHERE s.tenant = item->>'tenant' AND s.kind = item->>'kind' AND s.id = (item->>'stream')::uuid;
            DELETE FROM claims c WHERE c.tenant = item->>'tenant' AND c.kind = item->>'kind'
                AND c.stream = (item->>'stream')::uuid;
            RETURN NEXT jsonb_build_object('is', CASE WHEN kept.version > 0 OR cardinality(kept_keys) > 0
                                                      THEN 'removed' ELSE 'same' END);
            CONTINUE;
        END IF;

        SELECT c.* INTO held FROM claims c
            WHERE c.tenant = item->>'tenant' AND c.key = ANY (keys)
              AND (c.kind, c.stream) <> (item->>'kind', (item->>'stream')::uuid)
            ORDER BY c.key LIMIT 1;
        IF FOUND THEN
            RETURN NEXT jsonb_build_object('is', 'claim', 'key', held.key, 'kind', held.kind, 'stream', held.stream);
            CONTINUE;
        END IF;

        IF keys = kept_keys AND kept.version = last AND kept.shape = (item->>'shape')::integer
                AND kept.public_version = (item->>'public_version')::integer
                AND kept.state::text = (item->>'state')::jsonb::text
                AND kept.deadline IS NOT DISTINCT FROM (item->>'deadline')::timestamptz THEN
            RETURN NEXT jsonb_build_object('is', 'same');
            CONTINUE;
        END IF;

        INSERT INTO states AS s (tenant, kind, id, version, public_version, shape, state, deadline)
            VALUES (item->>'tenant', item->>'kind', (item->>'stream')::uuid, last,
                    (item->>'public_version')::integer, (item->>'shape')::integer, (item->>'state')::jsonb,
                    (item->>'deadline')::timestamptz)
            ON CONFLICT (tenant, kind, id) DO UPDATE SET version = excluded.version,
                public_version = excluded.public_version, shape = excluded.shape, state = excluded.state,
                deadline = excluded.deadline;
        DELETE FROM claims c
            WHERE c.tenant = item->>'tenant' AND c.kind = item->>'kind' AND c.stream = (item->>'stream')::uuid
              AND c.key <> ALL (keys);
        INSERT INTO claims (tenant, key, kind, stream)
            SELECT item->>'tenant', k, item->>'kind', (item->>'stream')::uuid FROM unnest(keys) k
            ON CONFLICT (tenant, key) DO NOTHING;
        RETURN NEXT jsonb_build_object('is', 'folded');
    END LOOP;
END
$$
