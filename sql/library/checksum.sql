-- How many rows there are, and a sum over them that does not depend on their order.
SELECT
    COUNT(*) AS counted,
    CAST(COALESCE(SUM(MD5_NUMBER_LOWER($columns)), 0) AS VARCHAR) AS total
FROM answer
