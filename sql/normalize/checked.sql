-- Each record with why it is refused on sight, or nothing: asked once, and read by three branches.
SELECT
    *,
    $reason AS refusal
FROM $raw
