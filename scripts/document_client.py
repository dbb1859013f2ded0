"""`python -m scripts.document_client`: writes `serving/client/types.py`, the types of the Python client, from
the OpenAPI document of the server."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TYPES_FILE: Final = Path(__file__).parent.parent / "serving" / "client" / "types.py"

_HEAD: Final = '''# fmt: off
# ruff: noqa: E501
"""The requests and answers of the API.

Made from its OpenAPI document by `python -m scripts.document_client`.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
'''
_SIMPLE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_WIDTH: Final = 106


def client_types(document: Mapping[str, Any]) -> str:
    """The module's text: a TypedDict for each schema of an object."""
    schemas = document["components"]["schemas"]
    classes = [_class(name, schema) for name, schema in sorted(schemas.items()) if "properties" in schema]
    return "\n\n".join([_HEAD.rstrip() + "\n", *classes])


def _class(name: str, schema: Mapping[str, Any]) -> str:
    said = " ".join(schema.get("description", name).split())
    lines = [f"class {name}(TypedDict):", *_docstring(said)]
    required = schema.get("required", ())
    for field, value in schema["properties"].items():
        kind = _type(value)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
        if said := " ".join(value.get("description", "").split()):
            lines += _docstring(said)
    return "\n".join(lines) + "\n"


def _docstring(text: str) -> list[str]:
    text = text.replace("\\", "\\\\")
    wrapped = textwrap.wrap(f'"""{text}"""', _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"    {line}" for line in wrapped]


def _type(schema: Mapping[str, Any]) -> str:
    """The Python type of a JSON schema, of the kinds that our own document uses."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "const" in schema:
        return f"Literal[{schema['const']!r}]".replace("'", '"')
    if "enum" in schema:
        return f"Literal[{', '.join(repr(one) for one in schema['enum'])}]".replace("'", '"')
    match schema.get("type"):
        case "array":
            return f"list[{_type(schema.get('items', {}))}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {_type(more) if isinstance(more, Mapping) else 'Any'}]"
        case kind:
            return _SIMPLE.get(str(kind), "Any")


def main() -> None:
    """Write the file."""
    from types import SimpleNamespace
    from typing import cast

    from serving.http.app import build_api
    from serving.http.prometheus import RequestMetrics
    from serving.http.service import Service

    nothing = SimpleNamespace(pipeline=SimpleNamespace(bundle=SimpleNamespace(name="", version="")))
    metrics = RequestMetrics(bundle_name="", bundle_version="")
    document = build_api(cast(Service, nothing), metrics, max_new_items=0).openapi()
    TYPES_FILE.write_text(client_types(document), encoding="utf-8")


if __name__ == "__main__":
    main()
