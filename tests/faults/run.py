"""The fault run: real servers, real workers, real mail; everything is broken in turn; then the checker reads what is left.

usage: run.py --binary PATH --nats PATH [--seed N] [--messages N] [--faults N] [--seconds S] [--workers N] [--cluster] [--keep FOLDER]

The same seed gives the same messages and the same faults in the same order; what the operating system does between them differs.
"""

import argparse
import asyncio
import collections
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import check
import dump
import plant
from proxy import Proxy
from servers import Servers
from sink import Sink
from workers import Worker

SETTLE_SECONDS = 300
"""Longest wait for the last verdict after the last fault: two leases and a restart, with a wide margin."""

TERM_SECONDS = 10.0
"""Longest orderly stop."""

DUPLICATES_MAX = 0.001
"""Share of deliveries that may be repeated."""

CODES = {0, 1, 70, 75, -9}
"""How workers may end: in order, in a hurry, for want of a server, killed."""

HERE = pathlib.Path(__file__).resolve().parent


class Faults:
    """What is done to a run, in an order that the seed decides."""

    def __init__(self, run, dice):
        self.run, self.dice, self.log = run, dice, open(run.folder / "faults.jsonl", "a", encoding="utf-8")
        self.kinds = ["worker-kill"] * 4 + ["worker-stop", "server-kill", "server-term", "proxy-slow", "proxy-frozen", "proxy-cut", "proxy-no-acks", "mail-later", "mail-cut"]
        if not run.args.without_consumer_deleted:
            self.kinds.append("consumer-deleted")
        if run.args.cluster:
            self.kinds += ["leader-stop"] * 2

    async def one(self):
        """One fault, from its begin to its end."""
        kind, began = self.dice.choice(self.kinds), time.time()
        target = await getattr(self, kind.replace("-", "_"))()
        self.log.write(json.dumps({"at": began, "until": time.time(), "kind": kind, "target": target}) + "\n")
        self.log.flush()

    def worker(self):
        return self.dice.choice(self.run.workers)

    async def worker_kill(self):
        worker = self.worker()
        worker.kill()
        return worker.folder.name

    async def worker_stop(self):
        worker = self.worker()
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(1, self.run.args.pause))
        worker.signal(signal.SIGCONT)
        return worker.folder.name

    async def _server(self, server, how):
        await asyncio.to_thread(server.stop, how)
        await asyncio.sleep(self.dice.uniform(0.2, 3))
        server.start()
        while not server.is_healthy():
            await asyncio.sleep(0.1)
        return server.name

    async def server_kill(self):
        return await self._server(self.dice.choice(self.run.servers.all), signal.SIGKILL)

    async def server_term(self):
        return await self._server(self.dice.choice(self.run.servers.all), signal.SIGTERM)

    async def _leader(self):
        """Name of the server that leads the inbound stream; none while they elect one."""
        client = await dump.nats.connect(self.run.servers.urls())
        try:
            info = await client.jetstream(timeout=2).stream_info("CC_INBOUND")
            return info.cluster and info.cluster.leader
        except (dump.nats.errors.Error, asyncio.TimeoutError):
            return None
        finally:
            await client.close()

    async def leader_stop(self):
        name = await self._leader()
        leader = next((one for one in self.run.servers.all if one.name == name), None) or self.dice.choice(self.run.servers.all)
        leader.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(2, self.run.args.pause))
        leader.process.send_signal(signal.SIGCONT)
        return leader.name

    async def _proxy(self, mode, seconds, delay=0.0):
        at = self.dice.randrange(len(self.run.proxies))
        proxy = self.run.proxies[at]
        proxy.mode, proxy.delay = mode, delay
        await asyncio.sleep(seconds)
        proxy.mode = "through"
        return proxy

    async def proxy_slow(self):
        proxy = await self._proxy("slow", self.dice.uniform(1, 5), self.dice.uniform(0.05, 0.5))
        return proxy.port

    async def proxy_frozen(self):
        proxy = await self._proxy("frozen", self.dice.uniform(2, self.run.args.pause))
        if self.dice.random() < 0.5:
            proxy.cut()
        return proxy.port

    async def proxy_cut(self):
        proxy = self.dice.choice(self.run.proxies)
        proxy.cut()
        return proxy.port

    async def proxy_no_acks(self):
        proxy = await self._proxy("no-acks", self.dice.uniform(0.5, 3))
        return proxy.port

    async def consumer_deleted(self):
        client = await dump.nats.connect(self.run.servers.urls())
        try:
            await client.jetstream().delete_consumer("CC_INBOUND", "mimamori")
        except Exception as error:  # not there: nobody has made it again yet
            return str(error)
        finally:
            await client.close()
        return "mimamori"

    async def _mail(self, mode):
        self.run.sink.mode = mode
        await asyncio.sleep(self.dice.uniform(0.5, 3))
        self.run.sink.mode = "ok"
        return mode

    async def mail_later(self):
        return await self._mail("later")

    async def mail_cut(self):
        return await self._mail("cut")


class Run:
    """One run."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.servers = Servers(args.nats, folder, 3 if args.cluster else 1)
        self.sink = Sink(folder / "smtp.jsonl")
        self.proxies, self.workers, self.stops = [], [], []

    async def prepare(self):
        self.servers.start()
        await self.sink.start()
        for n in range(self.args.workers):
            # Each worker prefers another server.
            order = self.servers.all[n % len(self.servers.all) :] + self.servers.all[: n % len(self.servers.all)]
            proxy = Proxy(order)
            await proxy.start()
            self.proxies.append(proxy)
            lexicons = HERE.parent.parent / "lexicons"
            self.workers.append(Worker(self.args.binary, self.folder / f"worker-{n}", proxy.port, self.sink.port, len(self.servers.all), lexicons))
        for _ in range(50):
            made = await asyncio.to_thread(self.workers[0].command, "init")
            if made.returncode == 0:
                break
            await asyncio.sleep(0.3)
        else:
            raise RuntimeError(f"init: {made.stderr}")
        for worker in self.workers:
            worker.start()

    async def mind(self):
        while True:
            for worker in self.workers:
                worker.mind()
            await asyncio.sleep(0.1)

    async def take_cases(self, dice):
        """A supervisor who takes a case now and then, at a terminal."""
        while True:
            await asyncio.sleep(self.args.take)
            worker = dice.choice(self.workers)
            try:
                listed = await asyncio.to_thread(worker.command, "case", "list", timeout=30)
                ids = re.findall(r"(C-[A-Z0-9]{8}).*未受領", listed.stdout)
                if ids:
                    await asyncio.to_thread(worker.command, "case", "ack", dice.choice(ids), "--by", "sv", timeout=30)
            except subprocess.TimeoutExpired:
                continue

    async def publish_under_faults(self):
        line = [sys.executable, str(HERE / "publisher.py"), str(self.folder), str(self.args.seed), str(self.args.messages), str(self.args.seconds)]
        publisher = subprocess.Popen(line + self.servers.urls())
        faults, pause = Faults(self, random.Random(self.args.seed)), self.args.seconds / max(self.args.faults, 1)
        began = time.monotonic()
        for n in range(self.args.faults):
            await faults.one()
            ahead = began + pause * (n + 1) - time.monotonic()
            await asyncio.sleep(max(ahead, 0.05))
        while publisher.poll() is None:
            await asyncio.sleep(0.2)
        return publisher.returncode

    async def settle(self):
        until, seen = time.monotonic() + SETTLE_SECONDS, -1
        while time.monotonic() < until:
            seen = await dump.verdicts(self.servers.urls())
            if seen >= self.args.messages:
                break
            await asyncio.sleep(1)
        # Alerts that wait for their next try.
        await asyncio.sleep(self.args.calm)
        return seen

    async def go(self):
        await self.prepare()
        dice = random.Random(self.args.seed + 1)
        others = [asyncio.create_task(self.mind()), asyncio.create_task(self.take_cases(dice))]
        began = time.monotonic()
        try:
            code = await self.publish_under_faults()
            broken = time.monotonic() - began
            await self.settle()
            for task in others:
                task.cancel()
            for worker in self.workers:
                self.stops.append(await asyncio.to_thread(worker.stop))
            await dump.dump(self.servers.urls(), self.folder)
        finally:
            for task in others:
                task.cancel()
            for worker in self.workers:
                worker.wanted = False
                worker.kill()
            self.servers.kill()
        return code, broken, time.monotonic() - began


def gaps(folder):
    """Longest time without a new verdict while messages waited: (all, without times in which a server was down)."""
    stored = sorted(row["stored"] for row in check.read(folder, "verdicts"))
    accepted = sorted(row["at"] for row in check.read(folder, "published"))
    down = [(row["at"], row["until"] + 1) for row in check.read(folder, "faults") if row["kind"].startswith(("server", "leader"))]
    longest, longest_up, waiting = 0.0, 0.0, 0
    for n, (one, two) in enumerate(zip(stored, stored[1:])):
        while waiting < len(accepted) and accepted[waiting] <= one:
            waiting += 1
        if waiting > n + 1:
            longest = max(longest, two - one)
            if not any(begin < two and one < end for begin, end in down):
                longest_up = max(longest_up, two - one)
    return longest, longest_up


def report(run, results, broken, whole):
    """What happened, for people; answers whether it is good."""
    kinds = collections.Counter(row["kind"] for row in check.read(run.folder, "faults"))
    mails = check.read(run.folder, "smtp")
    repeated = len(mails) - len({(mail["message_id"], tuple(mail["to"])) for mail in mails})
    share = repeated / max(len(mails), 1)
    ends = collections.Counter(code for worker in run.workers for code in worker.ended)
    longest, up = gaps(run.folder)
    lost = len(results["i1_every_accepted_message_has_a_verdict"][1])
    print(f"messages {run.args.messages}  faults {sum(kinds.values())}  {dict(kinds)}")
    print(f"seed {run.args.seed}  servers {len(run.servers.all)}  workers {len(run.workers)}  under faults {broken:.0f} s  whole {whole:.0f} s")
    print(f"lost {lost}  dead letters {len(check.read(run.folder, 'dead'))}  cases {results['i4_each_case_reached_a_person'][0]}  deliveries {len(mails)}  repeated {repeated} ({share:.3%}), {repeated / run.args.messages:.4%} of messages")
    print(f"acknowledgements lost on the way {sum(proxy.dropped for proxy in run.proxies)}  ends of workers {dict(ends)}")
    print(f"longest gap in service {longest:.1f} s, {up:.1f} s with servers up  stops {[(code, round(took, 1)) for code, took in run.stops]}")
    good = check.show(results)
    for what, holds in [
        ("workers end as they may", set(ends) <= CODES),
        (f"stops in at most {TERM_SECONDS:.0f} s", all(code == 0 and took <= TERM_SECONDS for code, took in run.stops)),
        (f"repeated at most {DUPLICATES_MAX:.1%} of messages", repeated <= DUPLICATES_MAX * run.args.messages + run.args.spare),
    ]:
        print(f"{'ok  ' if holds else 'FAIL'} {what}")
        good = good and holds
    return good


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--nats", required=True, type=pathlib.Path, help="the nats-server program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1200, help="time over which messages and faults are spread")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--pause", type=float, default=12, help="longest stop of a worker or silence of a line, in seconds")
    parser.add_argument("--take", type=float, default=5, help="seconds between two cases that a supervisor takes")
    parser.add_argument("--calm", type=float, default=20, help="seconds after the last verdict for alerts that wait for another try")
    parser.add_argument("--spare", type=int, default=8, help="repeated deliveries allowed beside the share: those of one crash")
    parser.add_argument("--without-consumer-deleted", action="store_true")
    parser.add_argument("--plant", action="store_true", help="also plant violations and see that the checker finds them")
    parser.add_argument("--keep", type=pathlib.Path)
    return parser.parse_args()


def main():
    args = arguments()
    args.binary, args.nats = args.binary.resolve(), args.nats.resolve()
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("faults", "published", "smtp"):
        (folder / f"{file}.jsonl").touch()
    run = Run(args, folder)
    code, broken, whole = asyncio.run(run.go())
    good = report(run, check.check(folder), broken, whole) and code == 0
    if args.plant:
        good = plant.main(folder) == 0 and good
    if good and not args.keep:
        shutil.rmtree(folder)
    else:
        print(f"kept: {folder}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
