"""A mail server that keeps a log of what it accepted, on disk before it says 250."""

import asyncio
import email
import email.policy
import json
import os
import time

from aiosmtpd.smtp import SMTP


class Sink:
    """Modes: `ok`, `later` (451 to every recipient), `cut` (accepts the text, drops the connection before the answer)."""

    def __init__(self, log):
        self.log, self.mode, self.count, self.port = open(log, "a", encoding="utf-8"), "ok", 0, 0

    async def start(self):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from, envelope.began = address, time.time()
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mode == "later":
            return "451 4.3.0 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        is_cut = self.mode == "cut"
        row = {
            "at": time.time(),
            "began": envelope.began,
            "to": envelope.rcpt_tos,
            "message_id": (mail["Message-ID"] or "").strip("<> "),
            "subject": mail["Subject"],
            "answered": not is_cut,
        }
        self.log.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.log.flush()
        os.fsync(self.log.fileno())
        self.count += 1
        if is_cut:
            server.transport.abort()
        return "250 kept"
