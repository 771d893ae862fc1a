"""Which column of which dataset a column comes from, asked of Flink's planner."""
