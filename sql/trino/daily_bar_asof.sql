-- Session days with their factors, as they were believed in [known_from, known_to).
SELECT *
FROM lake.gold.daily_bar
