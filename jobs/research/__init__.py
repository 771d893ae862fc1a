"""Research tables: daily bars with their factors, features and universes, as they were known."""
