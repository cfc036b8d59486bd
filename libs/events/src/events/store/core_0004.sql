-- The core, version 0004: commands that belong together, of which all are appended or none. Frozen, like 0001.
CREATE FUNCTION append_together(batch jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    answers jsonb;
    lost jsonb;
BEGIN
    SELECT jsonb_agg(a ORDER BY n) INTO answers FROM append(batch) WITH ORDINALITY AS answered(a, n);
    -- Whatever has moved comes before what was refused: they are decided again, on what is there now.
    SELECT CASE WHEN a->>'is' = 'recorded' THEN '{"is": "version"}' ELSE a END INTO lost
        FROM jsonb_array_elements(answers) WITH ORDINALITY AS answered(a, n)
        WHERE a->'first' IS DISTINCT FROM 'true'
        ORDER BY a->>'is' NOT IN ('recorded', 'version'), n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'not all of these can be appended' USING ERRCODE = 'CLOOP';
    END IF;
    RETURN jsonb_build_object('is', 'all', 'each', answers);
EXCEPTION WHEN SQLSTATE 'CLOOP' THEN
    RETURN lost;  -- what the block has appended is undone, what it has found out is kept
END
$$
-- //
COMMENT ON FUNCTION append_together IS 'Appends all of these commands, or none, and says why.'
-- //
CREATE FUNCTION append_parts(parts jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    part jsonb;
BEGIN
    FOR part IN SELECT value FROM jsonb_array_elements(parts) LOOP
        IF part ? 'each' THEN
            RETURN QUERY SELECT a FROM append(part->'each') AS a;
        ELSE
            RETURN NEXT append_together(part->'all');
        END IF;
    END LOOP;
END
$$
-- //
COMMENT ON FUNCTION append_parts IS 'Appends a batch: one answer for each command that stands alone, one for each set that belongs together.'
