"""The page /docs, where the API can be tried by hand, and what it may load."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from fastapi.openapi.docs import get_swagger_ui_html

_CDN: Final = "https://cdn.jsdelivr.net"
"""Where FastAPI's page gets Swagger UI from."""

DOCS_PAGE: Final = bytes(
    get_swagger_ui_html(
        openapi_url="/openapi.json", title="Shopkeeper", swagger_favicon_url="/shop/icon.svg"
    ).body
)


def docs_policy() -> str:
    """The Content-Security-Policy of the page: its one script, Swagger UI, which sets styles inline and has
    its icons as data, and calls of this server."""
    (script,) = re.findall(rb"<script>(.*?)</script>", DOCS_PAGE, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' {_CDN}; style-src 'unsafe-inline' {_CDN}; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
