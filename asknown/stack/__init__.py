"""The local stack: real servers as supervised processes of this user, on loopback."""

from asknown.stack.control import Outcome, State, down, purge, status, up

__all__ = ["Outcome", "State", "down", "purge", "status", "up"]
