-- With which knowledge each key was resolved when records of it were brought back.
SELECT DISTINCT
    raw_key,
    known_at,
    CONCAT(raw_key, '@', DATE_FORMAT(known_at, '$format')) AS keyed
FROM $replayed
