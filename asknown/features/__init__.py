"""What research computes from daily bars, and since when each value was known."""
