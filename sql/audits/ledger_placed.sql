-- The records, with the number of lanes they are in.
SELECT
    counted.*,
    normalized + duplicate + late + quarantined AS lanes
FROM (
    SELECT
        record.*,
        streamed + CASE WHEN duplicate + late + quarantined = 0 THEN recomputed ELSE 0 END
            AS normalized
    FROM record
) AS counted
