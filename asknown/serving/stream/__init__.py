"""The live stream: `/v1/stream`, a snapshot and then numbered updates over a WebSocket."""
