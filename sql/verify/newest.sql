-- Bars as they are compared: of each the newest revision, and not which number that has.
SELECT $columns
FROM $rows
QUALIFY ROW_NUMBER() OVER (PARTITION BY $grain ORDER BY revision DESC) = 1
