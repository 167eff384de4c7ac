"""A real mail server for the tests: accepts, refuses or stalls by the recipient's name, and keeps what it accepted.

usage: smtp_server.py FOLDER [--cert FILE --key FILE] [--implicit] [--user NAME --password WORD] [--port N]

Prints its port on the first line. Each accepted mail becomes FOLDER/<n>.eml with the envelope in FOLDER/<n>.json.
Recipients: refuse@ 550, later@ 451, busy@ 421, tarpit@ stalls after the text, cut@ drops the connection after the text.
"""

import argparse
import asyncio
import json
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

ANSWERS = {"refuse": "550 5.1.1 no such person", "later": "451 4.3.0 later", "busy": "421 4.3.2 too busy"}


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = ANSWERS.get(address.split("@")[0])
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0]
        if name == "tarpit":
            await asyncio.sleep(3600)
        self.count += 1
        # The text first: whoever sees the .json may read the mail.
        (self.folder / f"{self.count}.eml").write_bytes(envelope.original_content)
        facts = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None, "authenticated": bool(session.authenticated)}
        (self.folder / f"{self.count}.json").write_text(json.dumps(facts))
        if name == "cut":
            server.transport.abort()
        return "250 kept"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args()
    keeper = Keeper(args.folder)
    context = None
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)

    def check(server, session, envelope, mechanism, data):
        right = data.login == args.user.encode() and data.password == args.password.encode()
        return AuthResult(success=right, handled=right)

    def make():
        return SMTP(
            keeper,
            hostname="localhost",
            tls_context=None if args.implicit else context,
            require_starttls=bool(context) and not args.implicit,
            authenticator=check if args.user else None,
            auth_required=bool(args.user),
            auth_require_tls=bool(context) and not args.implicit,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    async def serve():
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", args.port, ssl=context if args.implicit else None)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


main()
