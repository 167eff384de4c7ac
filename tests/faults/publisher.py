"""Publishes messages at a steady pace and notes which ones the server has acknowledged; repeats what it is unsure of.

usage: publisher.py RUN_FOLDER SEED MESSAGES SECONDS URL...
"""

import asyncio
import json
import random
import sys
import time

import nats

IN_FLIGHT = 200
CONVERSATIONS = 20_000
DUE_CONVERSATIONS = 400
DUE_SHARE = 0.02
HOT_SHARE = 0.2

DUE = ["担当者と店長、二人そろって土下座しろ", "お前ら全員殺すぞ", "明日店に行って刺すからな"]
PLAIN = [
    "注文した商品がまだ届きません。確認をお願いします。",
    "返品の手続きを教えてください。",
    "お忙しいところすみません、領収書の再発行は可能でしょうか。",
    "昨日はご対応ありがとうございました。無事に届きました。",
    "サイズ交換は何日までできますか。",
]
RAW = (
    "From: customer-{n} <customer-{n}@mail.example>\r\nTo: desk@example.jp\r\nSubject: inquiry {n}\r\nMessage-ID: <{id}@mail.example>\r\n"
    "Date: Tue, 01 Dec 2026 10:00:00 +0900\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
)


def make(dice, n):
    """One message: id, subject, headers, body, whether a person must hear of it."""
    due, key = dice.random() < DUE_SHARE, f"f-{n:07d}"
    if due:
        conversation = "hot" if dice.random() < HOT_SHARE else f"due-{dice.randrange(DUE_CONVERSATIONS)}"
        text = f"{dice.choice(DUE)} {n}"
    else:
        conversation, text = f"c-{dice.randrange(CONVERSATIONS)}", f"{dice.choice(PLAIN)} {n}"
    if dice.random() < 0.3 and not due:
        body = RAW.format(n=n % CONVERSATIONS, id=key, text=text).encode()
        return key, "cc.inbound.email.default.default", {"Nats-Msg-Id": key, "Content-Type": "message/rfc822"}, body, due
    line = {"id": key, "channel": "chat", "conversation": conversation, "text": text}
    return key, "cc.inbound.line.default.default", {"Nats-Msg-Id": key}, json.dumps(line, ensure_ascii=False).encode(), due


async def main(folder, seed, count, seconds, urls):
    async def quiet(_error):
        pass

    client = await nats.connect(urls, max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=quiet, pending_size=64 << 20)
    stream, dice, began = client.jetstream(), random.Random(seed), time.monotonic()
    slots, log = asyncio.Semaphore(IN_FLIGHT), open(f"{folder}/published.jsonl", "a", encoding="utf-8")

    async def publish(key, subject, headers, body, due):
        tries = 0
        while True:
            tries += 1
            try:
                ack = await stream.publish(subject, body, timeout=5, headers=headers)
                break
            except Exception:  # whatever it was: the same id again
                await asyncio.sleep(0.3)
        log.write(json.dumps({"id": key, "due": due, "at": time.time(), "seq": ack.seq, "tries": tries}) + "\n")
        slots.release()

    tasks = set()
    for n in range(count):
        await slots.acquire()
        task = asyncio.create_task(publish(*make(dice, n)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        ahead = began + seconds * n / count - time.monotonic()
        if ahead > 0.01:
            await asyncio.sleep(ahead)
    await asyncio.gather(*tasks)
    log.close()
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:]))
