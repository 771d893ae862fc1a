-- Who belonged to a universe, as it was believed in [known_from, known_to).
SELECT *
FROM lake.gold.universe_member
