-- Rows as they are compared: the contract's columns, without coordinates, and without the flags
-- that look back, because a late record stands before them once it is healed.
SELECT $columns
FROM $rows
