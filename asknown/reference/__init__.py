"""Who a symbol was, what a share became, when a market was open: pure functions, no I/O."""
