"""Money as integers: nano-USD (1e-9 USD) for amounts, pico-USD (1e-12 USD) for prices of one token.

No float enters a sum. A price of $0.0375 per million tokens is 37,500 pico-USD a token, exactly.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

NANO_PER_USD = 1_000_000_000
PICO_PER_NANO = 1_000

_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Our own: the application whose thread we are on may have set another precision, or traps."""


def nanousd(usd: Decimal | float | int | str) -> int:
    """Amount in nano-USD, rounded half to even. A float is read by its shortest decimal form.

    Raises ValueError when `usd` is no finite number.
    """
    try:
        amount = usd if isinstance(usd, Decimal) else Decimal(str(usd))
        return int(_EXACT.multiply(amount, NANO_PER_USD).to_integral_value(ROUND_HALF_EVEN, _EXACT))
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"{usd!r} is not an amount of money in USD") from error


def usd(amount_nanousd: int) -> Decimal:
    """Exact amount in USD of an integer number of nano-USD."""
    return Decimal(amount_nanousd).scaleb(-9, _EXACT)


def picousd_per_token(usd_per_mtok: Decimal | float | str) -> int:
    """Price of one token in pico-USD, from the usual price in USD per million tokens."""
    per_mtok = Decimal(str(usd_per_mtok))
    return int(_EXACT.multiply(per_mtok, 1_000_000).to_integral_value(ROUND_HALF_EVEN, _EXACT))


def nano_from_pico(amount_picousd: int) -> int:
    """Nano-USD of an amount in pico-USD, rounded half up (the same rule as the SQL rendering)."""
    return (amount_picousd + PICO_PER_NANO // 2) // PICO_PER_NANO
