"""Storage: Kafka topics, Iceberg tables, ClickHouse tables and the loader that fills them."""
