"""Writes what the servers hold into files that the checker reads: verdicts, decisions, dead letters, cases, histories."""

import json

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

BATCH = 2_000


async def rows(stream, name, subject):
    """Every message of a stream below a subject: (subject, time, body)."""
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE, filter_subject=subject, inactive_threshold=60)
    consumer = await stream.pull_subscribe(subject, stream=name, config=config)
    left = (await consumer.consumer_info()).num_pending
    found = []
    while left > 0:
        for message in await consumer.fetch(min(BATCH, left), timeout=20):
            found.append((message.subject, message.metadata.timestamp.timestamp(), message.data))
            left -= 1
    await consumer.unsubscribe()
    return found


async def dump(urls, folder):
    """Reads everything once."""
    client = await nats.connect(urls)
    stream = client.jetstream()
    sources = [
        ("verdicts", "TRIAGE_VERDICTS", "triage.verdict.>"),
        ("decisions", "TRIAGE_VERDICTS", "triage.decision.>"),
        ("dead", "TRIAGE_DEAD", "triage.dead.>"),
        ("history", "TRIAGE_CASES", "triage.case.>"),
        ("cases", "KV_mimamori_case", "$KV.mimamori_case.>"),
    ]
    for file, name, subject in sources:
        with open(f"{folder}/{file}.jsonl", "w", encoding="utf-8") as out:
            for at_subject, at, body in await rows(stream, name, subject):
                if body:
                    out.write(json.dumps({"subject": at_subject, "stored": at, "body": json.loads(body)}, ensure_ascii=False) + "\n")
    await client.close()


async def verdicts(urls):
    """How many verdicts there are now."""
    client = await nats.connect(urls, connect_timeout=2, max_reconnect_attempts=1)
    try:
        info = await client.jetstream().stream_info("TRIAGE_VERDICTS", subjects_filter="triage.verdict.>")
        return sum((info.state.subjects or {}).values())
    finally:
        await client.close()
