"""Text to the DECIMAL(18,8) of the contracts, exactly or not at all."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

PRECISION = 18
SCALE = 8
UNIT = 10**SCALE
_LIMIT = Decimal(10) ** (PRECISION - SCALE)


def exact_decimal(text: str) -> Decimal | None:
    """Return `text` as a Decimal that fits DECIMAL(18,8), or None.

    None for what is no number (`NaN`, `-`, an empty cell), for what has more than eight decimals,
    and for what needs more than ten digits before the point: rounding would change the source.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if fits(value) else None


def fits(value: Decimal) -> bool:
    """Tell whether `value` is finite and fits DECIMAL(18,8) without rounding."""
    if not value.is_finite() or abs(value) >= _LIMIT:
        return False
    exponent = value.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -SCALE


def take(extra: dict[str, str], field: str, text: str | None) -> Decimal | None:
    """Return `text` as the typed value of `field`; keep it in `extra` when it has none.

    So nothing the source said is lost, and no value is changed to make it fit.
    """
    if text is None:
        return None
    value = exact_decimal(text)
    if value is None:
        extra[field] = text
    return value
