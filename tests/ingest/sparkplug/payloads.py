"""Sparkplug payloads by the protobuf library, which knows nothing of how they are read here."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

OPTIONAL, REPEATED = 1, 3
DOUBLE, FLOAT, UINT64, BOOL, STRING, MESSAGE, BYTES, UINT32 = 1, 2, 4, 8, 9, 11, 12, 13
VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value",
          "string_value", "bytes_value")  # fmt: skip
TYPES = {
    "Int8": 1, "Int16": 2, "Int32": 3, "Int64": 4, "UInt8": 5, "UInt16": 6, "UInt32": 7,
    "UInt64": 8, "Float": 9, "Double": 10, "Boolean": 11, "String": 12, "DateTime": 13,
    "Text": 14, "UUID": 15, "DataSet": 16, "Bytes": 17, "File": 18, "Template": 19,
    "Int16Array": 23, "DoubleArray": 31, "BooleanArray": 32, "StringArray": 33,
    "DateTimeArray": 34,
}  # fmt: skip
FIELD_OF = (
    dict.fromkeys(("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"), "int_value")
    | dict.fromkeys(("Int64", "UInt64", "DateTime"), "long_value")
    | dict.fromkeys(("String", "Text", "UUID"), "string_value")
    | {"Float": "float_value", "Double": "double_value", "Boolean": "boolean_value"}
)
"""Field of each type that is no bytes."""


def _message(file: Any, name: str, *fields: tuple[int, str, int, int, str]) -> None:
    made = file.message_type.add(name=name)
    for number, field, kind, label, of in fields:
        added = made.field.add(name=field, number=number, type=kind, label=label)
        if of:
            added.type_name = of


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_test.proto", syntax="proto2")
    file.package = "sp"
    one = OPTIONAL
    _message(
        file,
        "Property",
        (1, "type", UINT32, one, ""),
        (2, "is_null", BOOL, one, ""),
        *((n, v, k, one, "") for n, (v, k) in enumerate(zip(VALUES[:6], KINDS, strict=False), 3)),
    )
    _message(
        file,
        "Properties",
        (1, "keys", STRING, REPEATED, ""),
        (2, "values", MESSAGE, REPEATED, ".sp.Property"),
    )
    _message(
        file,
        "Metric",
        (1, "name", STRING, one, ""),
        (2, "alias", UINT64, one, ""),
        (3, "timestamp", UINT64, one, ""),
        (4, "datatype", UINT32, one, ""),
        (5, "is_historical", BOOL, one, ""),
        (6, "is_transient", BOOL, one, ""),
        (7, "is_null", BOOL, one, ""),
        (9, "properties", MESSAGE, one, ".sp.Properties"),
        *((n, v, k, one, "") for n, (v, k) in enumerate(zip(VALUES, KINDS, strict=True), 10)),
        (17, "dataset_value", BYTES, one, ""),
        (18, "template_value", BYTES, one, ""),
    )
    _message(
        file,
        "Payload",
        (1, "timestamp", UINT64, one, ""),
        (2, "metrics", MESSAGE, REPEATED, ".sp.Metric"),
        (3, "seq", UINT64, one, ""),
        (4, "uuid", STRING, one, ""),
        (5, "body", BYTES, one, ""),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sp.Payload"))


KINDS = (UINT32, UINT64, FLOAT, DOUBLE, BOOL, STRING, BYTES)
Payload: Any = _payload_class()


def payload(*metrics: dict[str, Any], seq: int | None = None, **more: Any) -> bytes:
    """Bytes of a payload; see `add`."""
    made = Payload(**more)
    if seq is not None:
        made.seq = seq
    for metric in metrics:
        add(made, **metric)
    encoded: bytes = made.SerializeToString()
    return encoded


def add(
    made: Any,
    name: str = "",
    type: str = "Double",
    value: Any = None,
    *,
    is_typed: bool = True,
    unit: str = "",
    quality: int | None = None,
    **more: Any,
) -> None:
    """Adds a metric: negative whole numbers as if they had no sign, as the specification says."""
    metric = made.metrics.add(**more)
    if name:
        metric.name = name
    if is_typed:
        metric.datatype = TYPES[type]
    if value is not None:
        field = FIELD_OF.get(type, "bytes_value")
        if field == "int_value":
            value &= 0xFFFF_FFFF
        elif field == "long_value":
            value &= 2**64 - 1
        setattr(metric, field, value)
    if unit:
        metric.properties.keys.append("engUnit")
        metric.properties.values.add(type=12, string_value=unit)
    if quality is not None:
        metric.properties.keys.append("Quality")
        metric.properties.values.add(type=3, int_value=quality & 0xFFFF_FFFF)
