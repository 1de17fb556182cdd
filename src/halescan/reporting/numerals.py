"""How a number is written for a person: few digits, the language's own decimal mark, never a NaN."""

import math
from collections.abc import Sequence
from typing import Literal

Lang = Literal["en", "fr"]

MISSING = "–"
MOST_DIGITS = 17  # tell any two floats apart
NARROW = "\u202f"  # the narrow no-break space French puts between thousands and before signs
_MARKS = {"en": (".", ","), "fr": (",", NARROW)}


def number(value: float | None, lang: Lang, *, digits: int = 3) -> str:
    """A measured value with so many significant digits: `1234.5` is "1,230" in English with 3 digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    if isinstance(value, int):
        return _localised(f"{value:,d}", lang)
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -4 or exponent > 8:
        return _localised(f"{value:.{digits - 1}e}", lang)
    rounded = round(value, digits - 1 - exponent)
    exponent = math.floor(math.log10(abs(rounded)))  # 0.9996 has become 1.00
    return _localised(f"{rounded:,.{max(0, digits - 1 - exponent)}f}", lang)


def apart(value: float | None, other: float | None, lang: Lang, *, digits: int = 3) -> tuple[str, str]:
    """Two values with as many digits as tell them apart: "146.2" and "146.3"; the same value is the same text."""
    for more in range(digits, MOST_DIGITS + 1):
        first, second = number(value, lang, digits=more), number(other, lang, digits=more)
        if first != second:
            return first, second
    return number(value, lang, digits=digits), number(other, lang, digits=digits)


def percent(share: float | None, lang: Lang) -> str:
    """A share in [0, 1] as a percentage without needless zeros: "5 %", "0.5 %", "12.3 %"; nothing but 0 is "0 %"."""
    if share is None or not math.isfinite(share):
        return MISSING
    space = "\u00a0" if lang == "fr" else "\u202f"
    return _localised(_of_a_hundred(share), lang) + space + "%"


def _of_a_hundred(share: float) -> str:
    """One decimal, below 1 % two, and as many as two digits need where those would all be 0."""
    decimals = 2 if share < 0.01 else 1
    if 0 < share < 0.0001:
        decimals = 1 - math.floor(math.log10(100 * share))
    text = f"{100 * share:.{decimals}f}" if decimals < 12 else f"{100 * share:.0e}"
    return text.rstrip("0").rstrip(".") if decimals < 12 else text


def fixed(value: float, lang: Lang, *, decimals: int) -> str:
    """A value with so many decimals and a true minus sign."""
    return _localised(f"{value:,.{decimals}f}", lang).replace("-", "−")


def tick(value: float, lang: Lang) -> str:
    """A round value at an axis, without needless zeros: "0.5", "−2"."""
    return _localised(f"{value:.10g}", lang).replace("-", "−")


def length(mm: float, lang: Lang) -> str:
    """A length in the unit a reader would choose: millimetres, below 0.1 mm micrometres."""
    return f"{number(1000 * mm, lang)} µm" if 0 < mm < 0.1 else f"{number(mm, lang)} mm"


def area(mm2: float, lang: Lang) -> str:
    """An area in cm², mm² or µm²."""
    if mm2 >= 100:
        return f"{number(mm2 / 100, lang)} cm²"
    return f"{number(mm2, lang)} mm²" if mm2 >= 0.01 else f"{number(1e6 * mm2, lang)} µm²"


def volume(mm3: float, lang: Lang) -> str:
    """A volume in cm³, small ones in mm³."""
    return f"{number(mm3 / 1000, lang)} cm³" if mm3 >= 100 else f"{number(mm3, lang)} mm³"


def p_value(p: float | None, lang: Lang, *, bound: bool = False) -> str:
    """A p-value with its sign: "p = 0.020", "p ≤ 0.005" where it is only an upper bound, "–" where there is none.

    Its spaces do not break, so that a line never ends on the sign.
    """
    if p is None or not math.isfinite(p):
        return MISSING
    decimals = 3 if p >= 0.001 else 5
    # a bound may only be rounded upwards, or it would claim more than was shown
    shown = math.ceil(p * 10**decimals - 1e-9) / 10**decimals if bound else p
    return f"p\u00a0{'≤' if bound else '='}\u00a0{_localised(f'{shown:.{decimals}f}', lang)}"


def listed(parts: Sequence[str], lang: Lang) -> str:
    """Parts separated by semicolons, with the space French puts before them."""
    return (f"{NARROW}; " if lang == "fr" else "; ").join(parts)


def _localised(text: str, lang: Lang) -> str:
    """English digits turned into those of the language."""
    decimal, thousands = _MARKS[lang]
    return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)
