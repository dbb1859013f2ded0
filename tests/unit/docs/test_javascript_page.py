"""docs/javascript.md names every method, option and default of shopkeeper.js, and what it keeps."""

from __future__ import annotations

import gzip
import re

from pages import DOCS, ROOT

PAGE = (DOCS / "javascript.md").read_text(encoding="utf-8")
CLIENT = (ROOT / "serving/http/shop/shopkeeper.js").read_text(encoding="utf-8")
CLASS = CLIENT[CLIENT.index("export class Shopkeeper {") :].partition("\n}\n")[0]


def test_every_method_and_property_is_on_the_page() -> None:
    methods = re.findall(r"^  (?:async )?(\w+)\([^\n]*\{(?: .*\})?$", CLASS, re.MULTILINE)
    properties = re.findall(r"^  get (\w+)\(", CLASS, re.MULTILINE)
    assert {"constructor", "recommend", "track", "flush", "observe", "login"} <= set(methods)
    assert {"userId", "visitorId", "pending"} <= set(properties)
    named = {*methods} - {"constructor"}
    assert sorted(name for name in named if f"`{name}(" not in PAGE) == []
    assert sorted(name for name in properties if f"`{name}`" not in PAGE) == []
    assert set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)) == named, "and no other"


def test_every_option_is_on_the_page_with_its_default() -> None:
    (parameters,) = re.findall(r"^  constructor\(\{ (.*) \}\) \{$", CLASS, re.MULTILINE)
    options = dict(part.partition(" = ")[::2] for part in parameters.split(", "))
    assert len(options) > 8
    table = PAGE.partition("## new Shopkeeper(options)")[2].partition("\n## ")[0]
    documented: dict[str, str] = {}
    for names, default in re.findall(r"^\| (`.*?`) \| (.*?) \|", table, re.MULTILINE):
        named = re.findall(r"`(\w+)`", names)
        documented |= dict(zip(named, (default.split(", ") * len(named))[: len(named)], strict=True))
    assert set(documented) == set(options)
    for name, default in options.items():
        assert not default or default.startswith("()") or documented[name] == default, name
    typed = re.findall(
        r"^ \* @property \{.*\} \[?(\w+)\]? ", CLIENT.partition("/** @typedef")[0], re.MULTILINE
    )
    assert set(typed) == set(options)


def test_what_is_kept_and_how_large_the_file_is_stands_on_the_page() -> None:
    kept = re.findall(r"^const \w+ = `\$\{PREFIX\}([a-z]+)", CLIENT, re.MULTILINE)
    assert len(kept) == 3
    assert [name for name in kept if f"`shopkeeper.{name}" not in PAGE] == []
    sizes = re.findall(r"(\d+) KB with its comments, (\d+) KB\s+gzipped", PAGE)
    content = CLIENT.encode()
    assert sizes == [(str(round(len(content) / 1000)), str(round(len(gzip.compress(content)) / 1000)))]


def test_the_shop_page_talks_to_the_server_through_it_alone() -> None:
    scripts = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "serving/http/shop").glob("*.js")
    }
    assert len(scripts) > 8
    calling = r"\bfetch\(|XMLHttpRequest|sendBeacon|EventSource|WebSocket"
    assert [name for name, text in scripts.items() if re.search(calling, text)] == ["shopkeeper.js"]
    assert not re.search(r"^import|https?://(?!reco\.myshop\.com)", CLIENT, re.MULTILINE)
