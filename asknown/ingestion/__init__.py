"""Connectors and the gateway: how source records become events in `raw.*` topics."""
