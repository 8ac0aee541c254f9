"""The map of registers: lines of CSV, and what is wrong with them in words."""

from __future__ import annotations

import pytest

from gemel.connect.modbus.registers import Register, read_registers
from gemel.core.errors import InvalidInput


def read(*lines: str) -> list[Register]:
    return read_registers(lines, 1, 1.0, "ABCD")


def test_a_map_has_what_is_said_and_defaults_for_the_rest() -> None:
    flow, level, on, mode, name = read(
        "name, table, address, type, unit, scale, unit id, every, order, write, bits, length",
        "flow, holding, 0, f32, L/s",
        "level, input, 0x0A, uint16, %, 0.1, 7, 60",
        "on, coils, 3, , , , , , , yes",
        "mode, Holding Register, 5, , , , , , , , 4-7",
        "maker, holding, 40, string, , , , , BADC, , , 8",
    )
    assert (flow.type, flow.size, flow.unit, flow.unit_id, flow.every) == ("f32", 2, "L/s", 1, 1.0)
    assert (level.address, level.scale, level.unit_id, level.every) == (10, 0.1, 7, 60.0)
    assert (on.table, on.type, on.is_writable) == ("coil", "bool", True)
    assert (mode.bits, mode.type, mode.is_boolean) == ((4, 7), "u16", False)
    assert (name.size, name.order) == (8, "BADC")
    assert name.place == "unit 1, holding 40 to 47"


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_columns_may_be_parted_by_commas_semicolons_and_tabs(between: str) -> None:
    lines = [["name", "table", "address", "#remark"], ["a", "holding", "1", "x"], [], ["# b"]]
    [one] = read(*(between.join(cells) for cells in lines))
    assert (one.name, one.address) == ("a", 1)


def test_a_comma_is_a_decimal_point_where_it_parts_nothing() -> None:
    [one] = read("name;table;address;scale", "a;holding;1;0,1")
    assert one.scale == 0.1


@pytest.mark.parametrize(
    ("text", "table", "address"),
    [
        ("40001", "holding", 0),
        ("49999", "holding", 9998),
        ("400001", "holding", 0),
        ("465536", "holding", 65535),
        ("30010", "input", 9),
        ("10001", "discrete", 0),
        ("00017", "coil", 16),
    ],
)
def test_an_address_with_its_table_is_read_where_no_table_is_named(
    text: str, table: str, address: int
) -> None:
    [one] = read("name,address", f"a,{text}")
    assert (one.table, one.address) == (table, address)
    [same] = read("name,table,address", f"a,holding,{min(int(text), 65535)}")
    assert same.address == min(int(text), 65535), "with its table named it is from 0"


def test_topics_are_those_of_devices_and_of_twins() -> None:
    bare, device, twin = read(
        "name,device,twin,table,address",
        "a,,,holding,0",
        "a,line/pump,,holding,1",
        "a,,pump-7,holding,2",
    )
    assert bare.topic("site") == "site"
    assert device.topic("site") == "site/line/pump"
    assert twin.topic("site") == "devices/pump-7/telemetry"


HEAD = "name,table,address,type,bits,length,order,scale,every,write,device,twin,unit_id"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a,holding,", "no address"),
        ("a,,40000", "does not say of which table"),
        ("a,,1", "does not say of which table"),
        ("a,,465537", "does not say of which table"),
        ("a,holdng,1", "coil, discrete, input or holding"),
        ("a,holding,65536", "0 to 65535"),
        ("a,holding,-1", "0 to 65535"),
        ("a,holding,65535,u32", "beyond 65535"),
        ("a,holding,1,f33", "u16, i16"),
        ("a,coil,1,u16", "single bits"),
        ("a,holding,1,u16,16", "0 is lowest"),
        ("a,holding,1,u16,7-4", "0 is lowest"),
        ("a,holding,1,i32,3", "of u16"),
        ("a,holding,1,string", "length"),
        ("a,holding,1,string,,126", "1 to 125"),
        ("a,holding,1,u32,,,ACBD", "ABCD"),
        ("a,holding,1,u16,,,,0", "must not be 0"),
        ("a,holding,1,u16,,,,fast", "a number"),
        ("a,coil,1,,,,,0.1", "no number"),
        ("a,holding,1,u16,,,,,0", "seconds"),
        ("a,input,1,u16,,,,,,yes", "cannot be written"),
        ("a,holding,1,u16,3,,,,,yes", "bits of a register"),
        ("a,holding,1,u16,,,,,,perhaps", "yes or no"),
        ("a,holding,1,u16,,,,,,,d,t", "a device and a twin"),
        ("a,holding,1,u16,,,,,,,d/+", "without"),
        ("a,holding,1,u16,,,,,,,,,256", "0 to 255"),
        (",holding,1", "'name'"),
        ("a,holding,1,u16,,,,,,,,,1,what", "columns"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(HEAD, "ok,holding,9", line)
    assert "line 3" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "names of the columns"),
        (["name,address"], "names of the columns"),
        (["name,table", "a,holding"], "no column 'address'"),
        (["name,address,colour", "a,40001,red"], "'colour'"),
        (["name,address,Name", "a,40001,b"], "twice"),
        (["name,address", "a,40001", "a,40002"], "in line 2"),
        (["name,address", *(f"r{n},{40001 + n}" for n in range(2001))], "at most 2,000"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(lines: list[str], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(*lines)
    assert says in str(caught.value)
