"""Point-in-time market data for research, as Arrow tables: from the lake, or over the API."""

from asknown.research.connection import Connection, connect
from asknown.research.joining import LookAheadError, asof_join, check_known
from asknown.research.lines import NotNamedError
from asknown.research.result import Result
from asknown.research.sandbox import sandbox

__all__ = [
    "Connection",
    "LookAheadError",
    "NotNamedError",
    "Result",
    "asof_join",
    "check_known",
    "connect",
    "sandbox",
]
