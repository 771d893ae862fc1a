-- Rows under the source's own key again, without the knowledge that was put behind it.
SELECT $columns
FROM $rows
