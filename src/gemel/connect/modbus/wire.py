"""The way to a device: a TCP connection, or a serial line."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import termios
from collections.abc import Callable
from typing import Protocol, cast

from gemel.connect.modbus.settings import Line, ModbusConnection

LARGEST_READ = 4096
LINES = ("/dev/tty", "/dev/pts/")
SIZES = {7: termios.CS7, 8: termios.CS8}


class Wire(Protocol):
    """What bytes go over; what comes, and its end, are told to who opened it."""

    silence: float
    """Seconds that must lie between two frames."""

    def send(self, data: bytes) -> None:
        """Raises OSError if that is not possible."""
        ...

    def close(self) -> None: ...


Heard = Callable[[bytes], None]
Lost = Callable[[Exception | None], None]


async def opened(settings: ModbusConnection, heard: Heard, lost: Lost) -> Wire:
    """Opens the way to the devices.

    Raises:
        OSError, TimeoutError: it cannot be.
    """
    if settings.is_serial:
        return _Serial(settings.modbus, settings.serial_line(), heard, lost)
    host, port = settings.host_port()
    async with asyncio.timeout(max(settings.timeout, 3.0)):
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: _Tcp(heard, lost), host, port
        )
    return protocol


class _Tcp(asyncio.Protocol):
    silence = 0.0

    def __init__(self, heard: Heard, lost: Lost) -> None:
        self._lost = lost
        self._heard = heard
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has classes of its own
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self._heard(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lost(error)

    def send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Serial:
    """A terminal device, set raw, for us alone."""

    def __init__(self, path: str, line: Line, heard: Heard, lost: Lost) -> None:
        self.silence = line.silence
        self._heard, self._lost = heard, lost
        if not os.path.realpath(path).startswith(LINES):  # to open others may do something
            raise OSError(f"{path} is no serial line")
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _set(self._file, line)
            asyncio.get_running_loop().add_reader(self._file, self._read)
        except (OSError, termios.error) as error:
            os.close(self._file)
            raise OSError(f"{path} is no serial line: {error}") from error

    def _read(self) -> None:
        try:
            data = os.read(self._file, LARGEST_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if data:
            self._heard(data)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self.close()
        self._lost(error)

    def send(self, data: bytes) -> None:
        if self._file < 0:
            raise ConnectionResetError("the line is closed")
        if os.write(self._file, data) != len(data):
            raise OSError("the line does not take a whole request")

    def close(self) -> None:
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = -1


def _set(file: int, line: Line) -> None:
    """Raw, with these bits at this speed; what waited there is thrown away."""
    fcntl.ioctl(file, termios.TIOCEXCL)
    flags = SIZES[line.data] | termios.CREAD | termios.CLOCAL
    flags |= termios.CSTOPB if line.stop == 2 else 0
    flags |= {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}[line.parity]
    control = termios.tcgetattr(file)[6]
    control[termios.VMIN], control[termios.VTIME] = 0, 0
    speed = getattr(termios, f"B{line.baud}")
    checked = termios.INPCK if line.parity != "N" else 0
    termios.tcsetattr(file, termios.TCSANOW, [checked, 0, flags, 0, speed, speed, control])
    termios.tcflush(file, termios.TCIOFLUSH)
