-- How many rows there are, and a sum over a hash of each: whatever order they come in, it is equal
-- when the rows are, and a row that is there twice counts twice.
SELECT
    COUNT(*) AS counted,
    CAST(COALESCE(SUM(MD5_NUMBER_LOWER($canonical)), 0) % 18446744073709551616 AS UBIGINT) AS hashed
FROM $rows
