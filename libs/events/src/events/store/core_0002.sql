-- The core, version 0002: by what each kind was listed, and `refold` (in refold.sql). Frozen, like 0001.
-- The index of shapes is built after it, beside readers and writers.
CREATE TABLE list_declarations (
    kind TEXT NOT NULL,
    shape INTEGER NOT NULL,
    declared TEXT NOT NULL,
    PRIMARY KEY (kind)
)
-- //
COMMENT ON TABLE list_declarations IS 'By which fields each kind can be listed: the declaration that all its rows were folded for.'
