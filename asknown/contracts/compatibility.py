"""Whether data written with one Avro schema can be read with another.

The rules are those of "Schema Resolution" in the Avro 1.12 specification, with one addition: two
decimals of different scale or precision do not resolve, because a reader would silently see
another number. Names are compared without namespace, as the Java implementation does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from asknown.errors import UsageError

Schema = Any  # an Avro schema as JSON gives it: a name, a list (union) or an object

_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
# writer type -> reader types it is promoted to
_PROMOTIONS = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}
_NAMED = ("record", "error", "enum", "fixed")


class Level(StrEnum):
    """What a subject asks of a new version, with the registry's own words."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


@dataclass(frozen=True)
class Difference:
    """One place where the reader cannot read what the writer wrote."""

    path: str
    message: str

    def __str__(self) -> str:
        """Return the place and what is wrong there."""
        return f"{self.path or '/'}: {self.message}"


def parse(text: str) -> Schema:
    """Return a schema with every name in full and every named type checked.

    The result is plain JSON: the first use of a named type is its definition, later uses are its
    full name. Documentation is dropped: it changes nothing about the data.

    Raises:
        UsageError: the text is no Avro schema; the message says where.
    """
    try:
        source = json.loads(text)
    except ValueError as error:
        raise UsageError("ASKNOWN-CONTRACT-020", f"Expected JSON, found: {error}.") from error
    return _Parser().schema(source, "", "")


def canonical(text: str) -> str:
    """Return the text two schemas share exactly when they mean the same.

    Unlike Avro's parsing canonical form it keeps defaults, aliases and logical types, which decide
    how old data reads and what a number means.
    """
    return json.dumps(parse(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def differences(reader: str, writer: str) -> list[Difference]:
    """Return why `reader` cannot read data of `writer`; nothing when it can."""
    return _Comparison().compare(parse(reader), parse(writer), "")


def violations(level: Level, new: str, earlier: Sequence[str]) -> list[Difference]:
    """Return what a new version breaks at a compatibility level.

    `earlier` are the subject's versions, oldest first.
    """
    if level is Level.NONE or not earlier:
        return []
    against = earlier if level.endswith("_TRANSITIVE") else earlier[-1:]
    found: list[Difference] = []
    for old in reversed(against):
        if not level.startswith("FORWARD"):
            found += differences(reader=new, writer=old)
        if not level.startswith("BACKWARD"):
            found += differences(reader=old, writer=new)
    return list(dict.fromkeys(found))


class _Parser:
    """Check a schema and write its names out."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def schema(self, source: Schema, namespace: str, path: str) -> Schema:
        if isinstance(source, str):
            return self._reference(source, namespace, path)
        if isinstance(source, list):
            return self._union(source, namespace, path)
        if not isinstance(source, dict) or "type" not in source:
            raise _invalid(path, f"a type, found {json.dumps(source)[:60]}")
        kind = source["type"]
        if isinstance(kind, dict | list):
            return self.schema(kind, namespace, path)
        if kind in _NAMED:
            return self._named(source, namespace, path)
        if kind in ("array", "map"):
            part = "items" if kind == "array" else "values"
            if part not in source:
                raise _invalid(path, f"{kind} with {part!r}")
            inner = self.schema(source[part], namespace, f"{path}/{part}")
            return {**_attributes(source), "type": kind, part: inner}
        inner = self._reference(kind, namespace, path)
        extras = {k: v for k, v in _attributes(source).items() if k not in ("type", "name")}
        return {**extras, "type": inner} if extras and inner in _PRIMITIVES else inner

    def _reference(self, name: Any, namespace: str, path: str) -> str:
        if name in _PRIMITIVES:
            return str(name)
        full = _full_name(str(name), namespace)
        for candidate in (full, str(name)):
            if candidate in self.names:
                return candidate
        raise _invalid(path, f"a known type, found {name!r}")

    def _union(self, branches: list[Schema], namespace: str, path: str) -> list[Schema]:
        parsed = [self.schema(b, namespace, f"{path}/{i}") for i, b in enumerate(branches)]
        kinds = [_identity(branch) for branch in parsed]
        if len(set(kinds)) != len(kinds) or "union" in kinds:
            raise _invalid(path, f"a union of different types that are no unions, found {kinds}")
        return parsed

    def _named(self, source: dict[str, Any], namespace: str, path: str) -> dict[str, Any]:
        if not isinstance(source.get("name"), str):
            raise _invalid(path, f"{source['type']} with a name")
        full = _full_name(source["name"], source.get("namespace", namespace))
        if full in self.names:
            raise _invalid(path, f"{full} to be defined once")
        self.names.add(full)
        space = full.rpartition(".")[0]
        result = {k: v for k, v in _attributes(source).items() if k != "namespace"}
        result["name"] = full
        if "aliases" in source:
            result["aliases"] = sorted(_full_name(alias, space) for alias in source["aliases"])
        required = {"enum": ("symbols", list), "fixed": ("size", int)}
        part, kind = required.get(source["type"], ("fields", list))
        if not isinstance(source.get(part), kind):
            raise _invalid(path, f"{source['type']} {full} with {part!r}")
        if part == "fields":
            result["fields"] = self._fields(source["fields"], space, path)
        return result

    def _fields(self, fields: list[Any], namespace: str, path: str) -> list[dict[str, Any]]:
        parsed: list[dict[str, Any]] = []
        for field in fields:
            if not isinstance(field, dict) or "name" not in field or "type" not in field:
                raise _invalid(path, f"a field with name and type, found {json.dumps(field)[:60]}")
            where = f"{path}/{field['name']}"
            inner = self.schema(field["type"], namespace, where)
            parsed.append({**_attributes(field), "type": inner})
        names = [field["name"] for field in parsed]
        if len(set(names)) != len(names):
            raise _invalid(path, f"fields with different names, found {names}")
        return parsed


class _Comparison:
    """Walk a reader's and a writer's schema together."""

    def __init__(self) -> None:
        self.readers: dict[str, Schema] = {}
        self.writers: dict[str, Schema] = {}
        self.assumed: set[tuple[str, str]] = set()  # pairs under comparison: recursive types

    def compare(self, reader: Schema, writer: Schema, path: str) -> list[Difference]:
        reader, writer = _look_up(reader, self.readers), _look_up(writer, self.writers)
        if isinstance(writer, list):
            return [d for branch in writer for d in self.compare(reader, branch, path)]
        if isinstance(reader, list):
            return self._into_union(reader, writer, path)
        kinds = (_kind(reader), _kind(writer))
        if kinds[0] != kinds[1]:
            if kinds[0] in _PROMOTIONS.get(kinds[1], ()):
                return _logical(reader, writer, path)
            return [Difference(path, f"reader expects {kinds[0]}, writer wrote {kinds[1]}")]
        compare: dict[str, Callable[[Schema, Schema, str], list[Difference]]] = {
            "record": self._record,
            "error": self._record,
            "enum": self._enum,
            "fixed": self._fixed,
            "array": lambda r, w, p: self.compare(r["items"], w["items"], f"{p}/items"),
            "map": lambda r, w, p: self.compare(r["values"], w["values"], f"{p}/values"),
        }
        return compare.get(kinds[0], _logical)(reader, writer, path)

    def _into_union(self, branches: list[Schema], writer: Schema, path: str) -> list[Difference]:
        resolved = [_look_up(branch, self.readers) for branch in branches]
        # a branch of the writer's own type says more about what differs than the first one
        same = [b for b in resolved if _kind(b) == _kind(writer)]
        reasons: list[Difference] = []
        for branch in [*same, *(b for b in resolved if b not in same)]:
            found = self.compare(branch, writer, path)
            if not found:
                return []
            reasons = reasons or found
        if same:
            return reasons
        return [Difference(path, f"reader's union has no branch for {_kind(writer)}")]

    def _record(self, reader: Schema, writer: Schema, path: str) -> list[Difference]:
        pair = (reader["name"], writer["name"])
        if pair in self.assumed:
            return []
        self.assumed.add(pair)
        found = _names_differ(reader, writer, path)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            where = f"{path}/{field['name']}"
            names = [field["name"], *field.get("aliases", [])]
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                found += self.compare(field["type"], source["type"], where)
            elif "default" not in field:
                found.append(Difference(where, "reader's field has no default and was not written"))
        return found

    def _enum(self, reader: Schema, writer: Schema, path: str) -> list[Difference]:
        found = _names_differ(reader, writer, path)
        unknown = [s for s in writer["symbols"] if s not in reader["symbols"]]
        if unknown and "default" not in reader:
            found.append(Difference(path, f"reader lacks the symbols {', '.join(unknown)}"))
        return found

    def _fixed(self, reader: Schema, writer: Schema, path: str) -> list[Difference]:
        found = _names_differ(reader, writer, path)
        if reader["size"] != writer["size"]:
            sizes = f"reader expects {reader['size']} bytes, writer wrote {writer['size']}"
            found.append(Difference(path, sizes))
        return found + _logical(reader, writer, path)


def _logical(reader: Schema, writer: Schema, path: str) -> list[Difference]:
    """Compare decimals; other logical types do not change how bytes resolve."""
    both = [s if isinstance(s, dict) else {} for s in (reader, writer)]
    if any(s.get("logicalType") == "decimal" for s in both):
        shapes = [
            (s.get("logicalType"), s.get("precision"), s.get("scale", 0) if s else None)
            for s in both
        ]
        if shapes[0] != shapes[1]:
            message = f"reader expects {_decimal(both[0])}, writer wrote {_decimal(both[1])}"
            return [Difference(path, message)]
    return []


def _decimal(schema: dict[str, Any]) -> str:
    if schema.get("logicalType") != "decimal":
        return "no decimal"
    return f"decimal({schema.get('precision')}, {schema.get('scale', 0)})"


def _names_differ(reader: Schema, writer: Schema, path: str) -> list[Difference]:
    short = [schema["name"].rpartition(".")[2] for schema in (reader, writer)]
    if short[0] == short[1] or writer["name"] in reader.get("aliases", []):
        return []
    return [Difference(path, f"reader expects {reader['name']}, writer wrote {writer['name']}")]


def _look_up(schema: Schema, known: dict[str, Schema]) -> Schema:
    """Return a type's definition, remembering definitions as they are met."""
    if isinstance(schema, dict) and "name" in schema:
        known[schema["name"]] = schema
    if isinstance(schema, str) and schema not in _PRIMITIVES:
        return known[schema]
    return schema


def _kind(schema: Schema) -> str:
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


def _identity(schema: Schema) -> str:
    """Return what may occur only once in a union."""
    if isinstance(schema, dict) and schema["type"] in _NAMED:
        return str(schema["name"])
    return _kind(schema)


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _attributes(source: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key != "doc"}


def _invalid(path: str, expected: str) -> UsageError:
    return UsageError("ASKNOWN-CONTRACT-021", f"Expected {expected}.", where=path or "/")
