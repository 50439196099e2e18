"""The OpenAPI document, made of the endpoints themselves."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from sigopt_orchestrate.server.endpoints import Endpoint

Json = dict[str, Any]
_QUERY: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 0, "maximum": 1000},
    "before": {"type": "string"},
    "after": {"type": "string"},
    "ascending": {"type": "boolean"},
    "fields": {"type": "string", "description": "The fields of each object to answer with."},
    "sort": {"type": "string", "description": "For example created or values.accuracy.value."},
    "search": {"type": "string", "description": "A part of the name."},
    "filters": {"type": "string", "description": "JSON: [{field, operator, value}]."},
    "state": {"type": "string"},
    "id": {"type": "string"},
    "deleted": {"type": "boolean"},
    "include_runs": {"type": "boolean"},
}
_REFUSALS = {
    "400": "A field of the request is not valid; the message names it.",
    "401": "There is no token.",
    "403": "The token is not valid or not good for this, or the object is another client's.",
    "404": "There is no such object or address.",
    "405": "The address does not know the verb.",
    "409": "The object exists already.",
    "413": "The body is too large.",
    "429": "Too many requests.",
    "503": "The store cannot be used now.",
}


def document(endpoints: Iterable[Endpoint]) -> Json:
    """Returns an OpenAPI 3.1 document of `endpoints`.

    MERGE is no verb of OpenAPI 3.1: it stands beside the others as `x-merge`, in their form.
    """
    known = list(endpoints)
    bodies = {endpoint.body for endpoint in known if endpoint.body is not None}
    models = [(body, "validation") for body in sorted(bodies, key=lambda body: body.__name__)]
    references, schemas = models_json_schema(
        models,  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Json] = {}
    for endpoint in known:
        verb = "x-merge" if endpoint.method == "MERGE" else endpoint.method.lower()
        body = None
        if endpoint.body is not None:
            body = references[(endpoint.body, "validation")]
        paths.setdefault(endpoint.path, {})[verb] = _operation(endpoint, body)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SigOpt API v1, as orchestrate serves it", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"basic": []}, {"bearer": []}],
    }


_ERROR = {
    "type": "object",
    "required": ["message", "status"],
    "properties": {"message": {"type": "string"}, "status": {"type": "integer"}},
}


def _operation(endpoint: Endpoint, body: Any) -> Json:
    parts = re.findall(r"{(\w+)}", endpoint.path)
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in parts
    ]
    parameters += [{"name": name, "in": "query", "schema": _QUERY[name]} for name in endpoint.query]
    operation: Json = {
        "operationId": f"{endpoint.handle.__name__}_{endpoint.method.lower()}_{len(parts)}"
        f"_{endpoint.path.strip('/').split('/')[1]}",
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {
            str(endpoint.status): {
                "description": endpoint.summary,
                "content": {"application/json": {"schema": _answer(endpoint)}},
            },
            **{
                status: {
                    "description": said,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                }
                for status, said in _REFUSALS.items()
            },
        },
    }
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return operation


def _answer(endpoint: Endpoint) -> Json:
    if endpoint.answers == "empty":
        return {"type": "object"}
    kind = {"type": "object", "properties": {"object": {"const": endpoint.answers}}}
    if not endpoint.many:
        return kind
    return {
        "type": "object",
        "properties": {
            "object": {"const": "pagination"},
            "count": {"type": "integer"},
            "data": {"type": "array", "items": kind},
        },
    }
