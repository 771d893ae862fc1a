"""The read-only API over ClickHouse: market data as it is now and as it was known then."""
