"""A proxy on this machine: it leads connections for known hosts to one port, and refuses others."""

import asyncio
import contextlib


class Tunnel:
    """The proxy, inside of a running event loop.

    Attributes:
        url: For `HTTPS_PROXY`.
        strangers: Hosts that somebody tried to reach, and could not.
    """

    def __init__(self, hosts, port, strangers):
        self._known, self._port = {f"{host}:443" for host in hosts}, port
        self.strangers, self._writers, self._tasks = strangers, set(), set()

    async def open(self):
        """Begin to listen."""
        self._server = await asyncio.start_server(self._led, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self):
        """Cut all connections, whatever is on its way."""
        for writer in [*self._writers]:
            writer.transport.abort()

    async def close(self):
        """Take no more connections, and cut those that there are."""
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks)

    async def _led(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
                await self._joined(asked, reader, writer)
        finally:
            self._dropped(writer)
            self._tasks.discard(asyncio.current_task())

    async def _joined(self, asked, reader, writer):
        if asked not in self._known:
            self.strangers.append(asked)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.add(inner)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._copied(reader, inner), self._copied(inner_reader, writer))

    async def _copied(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        self._dropped(writer)

    def _dropped(self, writer):
        self._writers.discard(writer)
        writer.close()
