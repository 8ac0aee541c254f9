"""A real OPC UA server (asyncua's) in a process of its own, told what to do line by line.

`python opcua_server.py PORT FOLDER [secure] [user]` prints `ready`; each line it then reads is one
of the words below, and is answered with `done`.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import shutil
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography.x509.oid import ExtendedKeyUsageOID

NAMESPACE = "urn:gemel:test:press"


class OneUser:
    """Lets `operator` in, with the password `right`."""

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username == "operator" and password == "right":
            return User(role=UserRole.User, name=username)
        return None


def argument(name: str) -> ua.Argument:
    return ua.Argument(Name=name, DataType=ua.NodeId(ua.ObjectIds.Double), ValueRank=-1)


class Press:
    def __init__(self, server: Server, namespace: int) -> None:
        self.server, self.namespace = server, namespace
        self.ahead = datetime.timedelta(0)
        self.count = self.called = 0
        self.refused: dict[ua.NodeId, ua.StatusCode] = {}
        self.write = None
        self.store: TrustStore

    async def build(self) -> None:
        number = self.namespace
        plant = await self.server.nodes.objects.add_folder(number, "Plant")
        self.press = await plant.add_object(ua.NodeId("Press", number), "Press")
        add = self.press.add_variable
        self.speed = await add(ua.NodeId("Press.Speed", number), "Speed", 0.0)
        self.count_node = await add(
            ua.NodeId("Press.Count", number), "Count", 0, ua.VariantType.Int32
        )
        for name, value, kind in (
            ("Running", True, ua.VariantType.Boolean),
            ("Label", "a/b", ua.VariantType.String),
            ("Big", 2**63 - 1, ua.VariantType.Int64),
            ("Spectrum", [1.0, 2.5], ua.VariantType.Float),
            (
                "Serviced",
                datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
                ua.VariantType.DateTime,
            ),
            ("Text", ua.LocalizedText("Presse", "de"), ua.VariantType.LocalizedText),
            ("Range", ua.Range(0.0, 10.0), ua.VariantType.ExtensionObject),
        ):
            await add(ua.NodeId(f"Press.{name}", number), name, value, kind)
        await self.speed.set_writable()
        self.setpoint = await add(
            ua.NodeId("Press.Setpoint", number), "Setpoint", 10.0, ua.VariantType.Float
        )
        await self.setpoint.add_property(0, "EURange", ua.Range(0.0, 100.0))
        self.small = await add(ua.NodeId("Press.Small", number), "Small", 0, ua.VariantType.Int16)
        self.calls = await add(ua.NodeId("Press.Calls", number), "Calls", 0, ua.VariantType.Int32)
        self.gone = await add(ua.NodeId("Press.Gone", number), "Gone", 1.0)
        temperature = await add(ua.NodeId("Press.Temperature", number), "Temperature", 20.0)
        unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652)
        unit.DisplayName = ua.LocalizedText("°C")
        await temperature.add_property(0, "EngineeringUnits", unit)
        await temperature.add_property(0, "EURange", ua.Range(-20.0, 200.0))

        await self.press.add_property(number, "Serial", "A-17")
        motor = await self.press.add_object(number, "Motor")
        await motor.add_variable(number, "Current", 1.5)
        names = ["Off", "Manual", "Automatic"]
        mode = await self.server.nodes.enum_data_type.add_data_type(number, "PressMode")
        await mode.add_property(0, "EnumStrings", [ua.LocalizedText(one) for one in names])
        mode_node = await add(number, "Mode", 1, ua.VariantType.Int32, mode.nodeid)
        for node in (self.setpoint, self.small, mode_node):
            await node.set_writable()
        await self.add_methods()

    async def add_methods(self) -> None:
        for name, call, inputs, outputs in (
            ("Start", self.on_start, ("Speed", "Ramp"), ("Reached",)),
            ("Zero", self.on_zero, (), ()),
            ("Jam", self.on_jam, (), ()),
            ("Wait", self.on_wait, ("Seconds",), ()),
        ):
            node = ua.NodeId(f"Press.{name}", self.namespace)
            forms = [[argument(one) for one in some] for some in (inputs, outputs)]
            await self.press.add_method(node, name, call, *forms)

    async def count_call(self) -> None:
        self.called += 1
        await self.calls.write_value(self.called, ua.VariantType.Int32)

    async def on_start(self, _: ua.NodeId, speed: ua.Variant, ramp: ua.Variant) -> list[ua.Variant]:
        await self.count_call()
        await self.speed.write_value(speed.Value)
        return [ua.Variant(speed.Value + ramp.Value, ua.VariantType.Double)]

    async def on_zero(self, _: ua.NodeId) -> list[ua.Variant]:
        await self.count_call()
        return []

    async def on_jam(self, _: ua.NodeId) -> ua.StatusCode:
        return ua.StatusCode(ua.StatusCodes.BadInvalidState)

    async def on_wait(self, _: ua.NodeId, seconds: ua.Variant) -> list[ua.Variant]:
        await self.count_call()
        await asyncio.sleep(seconds.Value)
        return []

    async def refuse(self, name: str, status: str) -> None:
        """Answers writes to a variable with a status; `Good` takes them again."""
        node = ua.NodeId(f"Press.{name}", self.namespace)
        self.refused[node] = ua.StatusCode(getattr(ua.StatusCodes, status))
        space = self.server.iserver.aspace
        if self.write is None:
            self.write, space.write_attribute_value = space.write_attribute_value, self.written

    async def written(self, node: ua.NodeId, attribute: ua.AttributeIds, value: ua.DataValue):
        status = self.refused.get(node)
        if status is not None and status.name != "Good":
            return status
        return await self.write(node, attribute, value)

    async def step(self, times: str = "1") -> None:
        """Counts on, so many times, each at its own moment."""
        for _ in range(int(times)):
            self.count += 1
            now = datetime.datetime.now(datetime.UTC) + self.ahead
            value = ua.Variant(self.count, ua.VariantType.Int32)
            await self.count_node.write_value(
                ua.DataValue(value, SourceTimestamp=now, ServerTimestamp=now)
            )
            await asyncio.sleep(0.002)

    async def value(self, text: str) -> None:
        await self.speed.write_value(float(text))

    async def set(self, name: str, text: str) -> None:
        """Sets a variable of type Float, as the machine itself would."""
        node = self.server.get_node(ua.NodeId(f"Press.{name}", self.namespace))
        await node.write_value(float(text), ua.VariantType.Float)

    async def status(self, name: str) -> None:
        status = ua.StatusCode(getattr(ua.StatusCodes, name))
        now = datetime.datetime.now(datetime.UTC)
        await self.speed.write_value(
            ua.DataValue(ua.Variant(5.0, ua.VariantType.Double), status, SourceTimestamp=now)
        )

    async def skew(self, seconds: str) -> None:
        self.ahead = datetime.timedelta(seconds=float(seconds))

    async def reset(self) -> None:
        self.count, self.called, self.ahead = 0, 0, datetime.timedelta(0)
        self.refused.clear()
        await self.calls.write_value(0, ua.VariantType.Int32)
        await self.setpoint.write_value(10.0, ua.VariantType.Float)
        await self.small.write_value(0, ua.VariantType.Int16)
        await self.count_node.write_value(0, ua.VariantType.Int32)
        await self.speed.write_value(0.0)

    async def vanish(self) -> None:
        await self.server.delete_nodes([self.gone])

    async def appear(self) -> None:
        node = ua.NodeId("Press.Gone", self.namespace)
        self.gone = await self.press.add_variable(node, "Gone", 2.0)

    async def drop(self) -> None:
        """Closes every session, as a server does that is told to."""
        for session in list(self.server.iserver._external_sessions.values()):
            await session.close_session(True)

    async def trust(self, certificate: str) -> None:
        """Trusts the certificate of a client, as an administrator does."""
        folder = Path(self.store.trust_locations[0])
        await asyncio.to_thread(shutil.copy, certificate, folder / "client.der")
        await self.store.load()


async def serve(port: str, folder: str, *words: str) -> None:
    server = Server(user_manager=OneUser() if "user" in words else None)
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/press")
    store = None
    if "secure" in words:
        store = await _secure(server, Path(folder))
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    press = Press(server, await server.register_namespace(NAMESPACE))
    await press.build()
    press.store = store
    async with server:
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, *arguments = line.split()
            await getattr(press, word)(*arguments)
            print("done", flush=True)


async def _secure(server: Server, folder: Path) -> TrustStore:
    certificate, key = folder / "server.der", folder / "server-key.pem"
    uri = "urn:gemel:test:server"
    await server.set_application_uri(uri)
    await setup_self_signed_certificate(
        key, certificate, uri, "localhost", [ExtendedKeyUsageOID.SERVER_AUTH], {}
    )
    server.set_security_policy(
        [ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    )
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    trusted = folder / "trusted"
    trusted.mkdir(exist_ok=True)
    shutil.copy(certificate, trusted)  # an empty store is none to the library
    store = TrustStore([trusted], [])
    await store.load()
    options = CertificateValidatorOptions.TRUSTED_VALIDATION
    server.set_certificate_validator(CertificateValidator(options, store))
    return store


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(*sys.argv[1:]))
