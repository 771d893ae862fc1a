"""The contracts: one Avro schema per topic, and everything that is generated from it."""
