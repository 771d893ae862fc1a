"""International securities identification numbers: the check digit and the parts that last.

Two letters of a country, nine characters of the national numbering agency, one check digit
(ISO 6166). India's nine are five of the issuer, two of the kind of security and two of a serial
number; a face-value split takes the next serial number, so issuer and kind are what continues.
"""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_INDIA = "IN"


def is_valid(isin: str) -> bool:
    """Tell whether `isin` is written as one and its check digit is right."""
    if _SHAPE.fullmatch(isin) is None:
        return False
    # A letter counts as two digits, A = 10 to Z = 35; then every second digit from the right but
    # one is doubled and the digits of all are added (Luhn).
    digits = [int(one) for one in "".join(str(int(letter, 36)) for letter in isin)]
    doubled = [2 * one for one in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(one // 10 + one % 10 for one in doubled)) % 10 == 0


def issuer_of(isin: str) -> str:
    """Return the part that names the issuer; '' for ''.

    Outside India that is country and first six characters, as the American and British agencies
    number; an issuer there may own several of them.
    """
    return isin[:7] if isin.startswith(_INDIA) else isin[:8]


def security_of(isin: str) -> str:
    """Return the part that stays when a face-value split renews the number; '' for ''.

    Outside India a split issues a new security number, so all but the check digit is kept.
    """
    return isin[:9] if isin.startswith(_INDIA) else isin[:11]
