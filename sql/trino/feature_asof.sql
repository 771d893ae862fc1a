-- Features of daily bars, as they were believed in [known_from, known_to).
SELECT *
FROM lake.gold.feature
