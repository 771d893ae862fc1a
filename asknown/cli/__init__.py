"""The `asknown` command."""
