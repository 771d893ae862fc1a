"""Workloads, their oracle and their measurements; MEASURES.md says what they stand for."""
