-- Rows that should be there and are not, that are there and should not be, and that say something
-- else; of each grain how often it should be there and how often it is.
WITH wanted AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY $grain) AS copy
    FROM made
),

found AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY $grain) AS copy
    FROM held
)

SELECT
    CASE
        WHEN found.copy IS NULL THEN 'missing'
        WHEN wanted.copy IS NULL THEN 'extra'
        ELSE 'changed'
    END AS kind,
    $shown,
    CASE WHEN wanted.copy IS NOT NULL AND found.copy IS NOT NULL THEN $changed END AS changed
FROM wanted
FULL JOIN found ON wanted.copy = found.copy AND $matched
WHERE found.copy IS NULL OR wanted.copy IS NULL OR $differs
ORDER BY ALL
