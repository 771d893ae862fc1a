"""Quality: reason codes, rules and the conservation ledger; pure, no input or output of its own."""
