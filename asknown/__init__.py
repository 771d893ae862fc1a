"""asknown: market data that can be asked for as it is now and as it was known then."""

VERSION = "0.1.0"
