"""The sentences of a language, and numbers, money and days as its readers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, get_args

import yaml

LanguageCode = Literal["en", "zh"]
LANGUAGES: Final[tuple[str, ...]] = get_args(LanguageCode)
FOLDER: Final = Path(__file__).parent / "languages"

SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥"}
"""Other currencies have their code behind the number."""

NO_CENTS: Final = {"JPY", "KRW", "VND", "CLP", "ISK"}
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_APART: Final = re.compile(r"(?P<number>.+) (?P<own>\S+) \(all (?P<all>\S+)\)")


@dataclass(frozen=True)
class Language:
    """One language, for a shop of one currency."""

    code: str
    sentences: dict[str, str]
    currency: str | None = None

    @classmethod
    def load(cls, code: str, *, currency: str | None = None) -> Language:
        """The language with this code, one of `LANGUAGES`."""
        text = (FOLDER / f"{code}.yaml").read_text(encoding="utf-8")
        return cls(code, yaml.safe_load(text), currency)

    def say(self, key: str, **values: Any) -> str:
        """The sentence of a key. Raises KeyError for a key or placeholder that is not there."""
        return self.sentences[key].format(**values)

    def name(self, text: str) -> str:
        """A stage or tier by its word in this language; a shop's own names stay as they are."""
        return self.sentences.get(f"name.{text}", text)

    def names(self, texts: list[str]) -> str:
        """Several names as a list."""
        return self.comma.join(map(self.name, texts))

    def group(self, text: str) -> str:
        """`3: buys often, mornings` by the phrases of this language."""
        number, colon, phrases = text.partition(": ")
        if not colon or not number.isdigit():
            return self.name(text)
        base, bracket, again = phrases.partition(" (")
        said = [self.sentences.get(f"phrase.{phrase}", phrase) for phrase in base.split(", ")]
        return self.say("groups.group", number=number, name=self.comma.join(said) + bracket + again)

    def apart(self, text: str) -> list[str]:
        """What sets a group apart in figures: `orders in 30 days 4.1 (all 1.6); …`, one entry a number."""
        found = []
        for part in filter(None, text.split("; ")):
            match = _APART.fullmatch(part)
            unit = None if match is None else self.sentences.get(f"unit.{match['number']}")
            values = match.groupdict() | {"number": unit} if match and unit else None
            found.append(part if values is None else self.say("apart", **values))
        return found

    @property
    def comma(self) -> str:
        """Between the parts of a list."""
        return "、" if self.code == "zh" else ", "

    @property
    def gap(self) -> str:
        """Between two sentences."""
        return "" if self.code == "zh" else " "

    def number(self, value: float, digits: int = 0) -> str:
        """`12,345`"""
        return f"{value:,.{digits}f}"

    def short(self, value: float) -> str:
        """`4.60M` or `460万`: three digits are enough for a headline."""
        steps = ((1e8, "亿"), (1e4, "万")) if self.code == "zh" else ((1e9, "bn"), (1e6, "M"))
        for step, word in steps:
            if abs(value) >= step:
                scaled = value / step
                return f"{scaled:,.{0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2}f}{word}"
        return self.number(value)

    def tick(self, value: float) -> str:
        """A round number beside a scale: `20k`, `2万`, `1.5M`"""
        steps = ((1e8, "亿"), (1e4, "万")) if self.code == "zh" else ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
        for step, word in steps:
            if value >= step:
                return f"{value / step:g}{word}"
        return f"{value:g}"

    def share(self, value: float) -> str:
        """`12%`, with a decimal where there is little"""
        return f"{value:.1%}" if 0 < abs(value) < 0.0995 else f"{value:.0%}"

    def whole_share(self, value: float) -> str:
        """`12%`, in a narrow cell"""
        return f"{value:.0%}"

    def money(self, value: float, *, short: bool = False) -> str:
        """`$12.30`, `12.30 SEK`, or the number alone where the currency is not known."""
        digits = 0 if self.currency in NO_CENTS else 2
        text = self.short(abs(value)) if short and abs(value) >= 1000 else self.number(abs(value), digits)
        sign = "−" if value < 0 else ""
        if self.currency is None:
            return sign + text
        symbol = SYMBOLS.get(self.currency)
        return f"{sign}{text} {self.currency}" if symbol is None else f"{sign}{symbol}{text}"

    def day(self, day: date) -> str:
        """`27 Nov 2026`, `2026年11月27日`"""
        if self.code == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

    def month(self, month: date) -> str:
        """`Nov 2026`, `2026年11月`"""
        if self.code == "zh":
            return f"{month.year}年{month.month}月"
        return f"{MONTHS[month.month - 1]} {month.year}"

    def month_alone(self, month: date) -> str:
        """`Nov`, `11月`: below a bar"""
        return f"{month.month}月" if self.code == "zh" else MONTHS[month.month - 1]
