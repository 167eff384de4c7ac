"""Workers as processes, each with a folder and a configuration of its own."""

import pathlib
import signal
import subprocess
import time

POLICY = """
format = 2
version = "1"
effective = "2026-10-01"
time_zone = "Asia/Tokyo"
own_domains = ["example.jp"]
# Hundreds of cases meet one person within a minute: each alert is to leave by itself, so that the checker can follow it.
[throttle]
alerts_max = 0
[sender]
address = "mimamori@example.jp"
name = "見守り"
[channels.mail]
kind = "mail"
[channels.phone]
kind = "mail"
wakes = true
transport = "phone"
[people.sv]
name = "SV"
reach = { mail = "sv@example.jp", phone = "sv-phone@example.jp" }
[people.chief]
name = "責任者"
reach = { mail = "chief@example.jp", phone = "chief-phone@example.jp" }
[digests.all]
name = "一覧"
to = ["chief"]
by = ["mail"]
at = ["03:33"]
lanes = ["safety_incident", "rights_assertion", "third_party_report", "accommodation", "staff_misconduct"]
[ladders.all]
advice = ["記録を残す"]
return_after_minutes = 1000
[[ladders.all.step]]
to = ["sv"]
by = ["mail", "phone"]
[ladders.all.finally]
to = ["sv", "chief"]
by = ["mail", "phone"]
after_minutes = 600
every_minutes = 600
[[route]]
ladder = "all"
"""

CONFIG = """
[store]
backend = "nats"
[nats]
url = "nats://127.0.0.1:{nats}"
replicas = {replicas}
[intake.http]
listen = "127.0.0.1:0"
[intake.spool]
dir = "{folder}/spool"
[ops]
listen = "127.0.0.1:0"
[policy]
file = "{folder}/policy.toml"
[lexicon]
dir = "{lexicons}"
# The auditor runs; what the program sends itself is nobody's message.
[audit]
every_seconds = 5
[canary]
every_seconds = 0
[notify]
transport = "smtp"
[notify.smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
timeout_seconds = 10
"""

RESTART_PAUSE = 0.5
"""Seconds before a worker that ended is started again, as a service manager would."""


class Worker:
    """One worker."""

    def __init__(self, binary, folder, nats, smtp, replicas, lexicons):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        (self.folder / "policy.toml").write_text(POLICY, encoding="utf-8")
        text = CONFIG.format(nats=nats, replicas=replicas, folder=self.folder, smtp=smtp, lexicons=lexicons)
        (self.folder / "mimamori.toml").write_text(text, encoding="utf-8")
        self.process, self.ended, self.wanted, self.next_start = None, [], False, 0.0

    def command(self, *arguments, timeout=60):
        """Runs a verb to its end."""
        line = [str(self.binary), "--config", str(self.folder / "mimamori.toml"), *arguments]
        return subprocess.run(line, capture_output=True, text=True, cwd=self.folder, timeout=timeout, check=False)

    def start(self):
        self.wanted = True
        log = open(self.folder / "worker.log", "ab")
        line = [str(self.binary), "--config", str(self.folder / "mimamori.toml"), "run"]
        self.process = subprocess.Popen(line, stdout=log, stderr=log, cwd=self.folder)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def signal(self, which):
        if self.process and self.process.poll() is None:
            self.process.send_signal(which)

    def mind(self):
        """Starts it again if it has ended; notes how it ended."""
        if self.process is None or self.process.poll() is None or not self.wanted:
            return
        now = time.monotonic()
        if self.next_start == 0.0:
            self.ended.append(self.process.returncode)
            self.next_start = now + RESTART_PAUSE
        elif now >= self.next_start:
            self.next_start = 0.0
            self.start()

    def stop(self):
        """SIGTERM; (exit code, seconds)."""
        self.wanted = False
        began = time.monotonic()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=60), time.monotonic() - began
