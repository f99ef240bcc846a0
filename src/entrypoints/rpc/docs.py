"""The API's documentation: an OpenAPI schema, and one page rendered from it that needs no network."""

import json
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import get
from litestar.connection import Request
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition
from pydantic import BaseModel, Field

_AnyRequest = Request[Any, Any, Any]
_Schema = Mapping[str, Any]

_DESCRIPTION = """\
Schedules of graph executions, spoken as JSON-RPC over HTTP: POST an object of named arguments, get the result.
What is wrong with a call is answered as {"type", "args"}, the name and arguments of an exception."""

_INSTEAD = "Instead of "
"""How a field is described that may stand in another's place."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h2 { border-bottom: 1px solid #ccc; margin-top: 3rem; } code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #f4f4f4; overflow-x: auto; padding: .75rem; } .method { color: #06c; }
table { border-collapse: collapse; } td, th { border: 1px solid #ddd; padding: .25rem .6rem; text-align: left; }
"""


class TypedError(BaseModel):
    """An exception: clients raise it again by its type."""

    type: str = Field(examples=["NotFoundError"])
    args: list[Any] = Field(examples=[["Job #3f2a not found."]])


class BodyMistake(BaseModel):
    """One thing that is wrong with a body."""

    type: str = Field(examples=["missing"])
    loc: list[str | int] = Field(examples=[["body", "user_id"]])
    msg: str = Field(examples=["Field required"])
    input: Any = Field(examples=[{}])


class BodyMistakes(BaseModel):
    """Everything that is wrong with a body."""

    detail: list[BodyMistake]


REFUSALS: Mapping[int, ResponseSpec] = {
    400: ResponseSpec(TypedError, description="Refused, and nothing was changed", generate_examples=False),
    422: ResponseSpec(BodyMistakes, description="The body is not what is asked for", generate_examples=False),
    500: ResponseSpec(TypedError, description="A failure on this side", generate_examples=False),
    503: ResponseSpec(TypedError, description="Busy: try again after Retry-After seconds", generate_examples=False),
}
"""What every call may be answered with instead of its result."""


class PageRenderPlugin(OpenAPIRenderPlugin):
    """Renders the schema as one plain page: Litestar's own renderers load scripts from elsewhere."""

    def render(self, request: _AnyRequest, openapi_schema: dict[str, Any]) -> bytes:
        """Return the page; its commands call the host that the reader called."""
        # Examples are library objects until they are written.
        document = json.loads(msgspec.json.encode(openapi_schema))
        return "".join(_page(document, str(request.base_url).rstrip("/"))).encode()


def documentation() -> OpenAPIConfig:
    """Return what the schema says of the service as a whole."""
    return OpenAPIConfig(
        title="Graph scheduler",
        version=version("agpt-scheduler"),
        description=_DESCRIPTION,
        path="/docs",
        render_plugins=[PageRenderPlugin(path="/")],
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
    )


@get("/openapi.json", media_type=MediaType.JSON, include_in_schema=False, sync_to_thread=False)
def show_schema(request: _AnyRequest) -> bytes:
    """Return the OpenAPI schema."""
    return msgspec.json.encode(request.app.openapi_schema.to_schema())


def _operation_id(_handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
    """Name an operation after its only path component."""
    return f"{method.lower()}_{path[0]}"


def _page(document: _Schema, base: str) -> Iterator[str]:
    info = document["info"]
    yield f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
    yield f'<p>{escape(info["description"])}</p><p>As data: <a href="/openapi.json">openapi.json</a></p>'
    yield "<p>The commands run as they stand, from top to bottom: the first adds what the others call.</p>"
    schemas = document["components"]["schemas"]
    for path, operations in sorted(document["paths"].items(), key=_reading_order):
        for method, operation in operations.items():
            yield from _operation(method, path, operation, schemas, base)
    yield "</body></html>"


def _reading_order(item: tuple[str, Any]) -> tuple[bool, bool, bool]:
    """Begin with what adds the schedule of the examples, end with what deletes it, operations after the calls."""
    path, operations = item
    return "post" not in operations or "get" in operations, path.startswith("/delete"), not path.startswith("/add")


def _operation(method: str, path: str, operation: _Schema, schemas: _Schema, base: str) -> Iterator[str]:
    yield f'<h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
    yield f"<p><b>{escape(operation['summary'])}.</b> {escape(operation.get('description', ''))}</p>"
    command = f"curl -s {shlex.quote(f'{base}{path}')}"
    if "requestBody" in operation:
        body = _resolved(operation["requestBody"]["content"]["application/json"]["schema"], schemas)
        yield from _fields(body, schemas)
        example = json.dumps(_example(body, schemas), indent=2, ensure_ascii=False)
        command += f" -H 'content-type: application/json' -d {shlex.quote(example)}"
    yield f"<p>Example:</p><pre>{escape(command)}</pre>"
    yield "<table><tr><th>Status</th><th>Answer</th></tr>"
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        shapes = ", ".join(_type(media["schema"]) for media in content.values() if "schema" in media)
        yield f"<tr><td>{status}</td><td>{escape(response['description'])} <code>{escape(shapes)}</code></td></tr>"
    yield "</table>"


def _fields(schema: _Schema, schemas: _Schema) -> Iterator[str]:
    properties = schema.get("properties", {})
    if not properties:
        return
    required = schema.get("required", ())
    yield "<table><tr><th>Field</th><th>Type</th><th>Required</th><th></th></tr>"
    for name, field in properties.items():
        words = escape(_resolved(field, schemas).get("description", ""))
        needed = "yes" if name in required else ""
        yield f"<tr><td><code>{escape(name)}</code></td><td><code>{escape(_type(field))}</code></td>"
        yield f"<td>{needed}</td><td>{words}</td></tr>"
    yield "</table>"


def _resolved(schema: _Schema, schemas: _Schema) -> _Schema:
    reference = schema.get("$ref")
    return schemas[reference.rpartition("/")[2]] if reference else schema


def _type(schema: _Schema) -> str:
    """Name a schema in a few words: `string`, `array of GraphExecutionJobInfo`, `string or null`."""
    if reference := schema.get("$ref"):
        return str(reference.rpartition("/")[2])
    if choices := schema.get("oneOf", schema.get("anyOf")):
        return " or ".join(_type(choice) for choice in choices)
    if "items" in schema:
        return f"array of {_type(schema['items'])}"
    kind = schema.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(kind)


def _example(schema: _Schema, schemas: _Schema) -> Any:
    """Put a call together from its fields' examples; what stands instead of another field is left out."""
    fields = schema.get("properties", {}).items()
    resolved = ((name, _resolved(field, schemas)) for name, field in fields)
    return {
        name: field["examples"][0]
        for name, field in resolved
        if field.get("examples") and not field.get("description", "").startswith(_INSTEAD)
    }
