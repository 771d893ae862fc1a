"""One module per kind of source; each turns source records into events, and sends nothing."""
