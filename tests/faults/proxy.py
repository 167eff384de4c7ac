"""A TCP proxy between one worker and the servers that can be slow, silent, rude or forgetful about acknowledgements."""

import asyncio
import socket
import struct

CHUNK = 1 << 16


class Proxy:
    """Modes: `through`, `slow` (each chunk waits), `frozen` (accepted, nothing moves), `no-acks` (acknowledgements vanish)."""

    def __init__(self, servers):
        self.servers, self.mode, self.delay = servers, "through", 0.0
        self.port, self.dropped, self.writers = 0, 0, set()

    async def start(self):
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]

    def cut(self):
        """Resets every connection (RST, not FIN)."""
        for writer in list(self.writers):
            raw = writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader, writer):
        for server in self.servers:
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
                break
            except OSError:
                continue
        else:
            writer.transport.abort()
            return
        self.writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._upstream(reader, far_writer), self._downstream(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            self.writers -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pause(self):
        while self.mode == "frozen":
            await asyncio.sleep(0.05)
        if self.mode == "slow":
            await asyncio.sleep(self.delay)

    async def _downstream(self, reader, writer):
        while data := await reader.read(CHUNK):
            await self._pause()
            writer.write(data)
            await writer.drain()
        raise OSError("closed")

    async def _upstream(self, reader, writer):
        """Reads whole protocol messages, because an acknowledgement may only vanish whole."""
        buffer = bytearray()
        while data := await reader.read(CHUNK):
            buffer += data
            await self._pause()
            out, at = [], 0
            while (end := buffer.find(b"\r\n", at)) >= 0:
                line = bytes(buffer[at:end])
                size = int(line.rsplit(b" ", 1)[1]) + 2 if line[:4] in (b"PUB ", b"HPUB") else 0
                if len(buffer) < end + 2 + size:
                    break
                if size and self.mode == "no-acks" and line.split(b" ", 2)[1].startswith(b"$JS.ACK."):
                    self.dropped += 1
                else:
                    out.append(bytes(buffer[at : end + 2 + size]))
                at = end + 2 + size
            del buffer[:at]
            if out:
                writer.write(b"".join(out))
                await writer.drain()
        raise OSError("closed")
