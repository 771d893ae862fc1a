"""What is made of what: datasets, the jobs between them, and their columns."""
