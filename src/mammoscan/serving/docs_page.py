"""The page at ``/docs``: the OpenAPI description as plain HTML, without a script and without another host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape


def write_manual(openapi: Mapping[str, Any]) -> str:
    """Return the HTML page that describes the service.

    Args:
        openapi: The service's own OpenAPI description.
    """
    template = files("mammoscan.serving").joinpath("page/manual.html.j2").read_text(encoding="utf-8")
    schemas = openapi["components"]["schemas"]
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    tables = [
        {
            "name": name,
            "about": schema.get("description", ""),
            "fields": [
                {"name": field, "type": name_type(about), "about": about.get("description", "")}
                for field, about in schema["properties"].items()
            ],
        }
        for name, schema in schemas.items()
        if name.endswith(("Answer", "Name", "Place", "Request"))
    ]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"name_answer": name_answer, "name_type": name_type}
    environment.filters["code"] = mark_code
    return environment.from_string(template).render(
        info=openapi["info"], operations=operations, tables=tables
    )


def mark_code(text: str) -> Markup:
    """Return a sentence as HTML with the words between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def name_answer(operation: Mapping[str, Any]) -> str:
    """Return the schema's name of an operation's answer with status 200; empty where it is no JSON."""
    content = operation["responses"].get("200", {}).get("content", {})
    return name_type(content["application/json"]["schema"]) if "application/json" in content else ""


def name_type(schema: Mapping[str, Any]) -> str:
    """Return a JSON schema's type in words, e.g. ``list of ImageAnswer``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(name_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {name_type(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {name_type(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))
