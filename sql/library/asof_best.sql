-- From which moment on which row of a series is the newest that is available: as time goes on, the
-- latest session day known so far, in its latest version.
--   series        which listing and feature
--   available     when a row can first be used, in microseconds UTC
--   withdrawn     from when on it must not be used any more
SELECT
    series,
    available,
    MAX(STRUCT_PACK(
        trade_day := trade_day, known := known, place := place, withdrawn := withdrawn
    )) OVER (
        PARTITION BY series
        ORDER BY available
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS best
FROM facts
