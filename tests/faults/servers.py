"""NATS servers as processes: one, or a cluster of three."""

import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

READY_SECONDS = 20


def free_port():
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server with its own data folder; it keeps its ports over restarts."""

    def __init__(self, binary, folder, name, peers=None):
        self.binary, self.folder, self.name, self.peers = binary, pathlib.Path(folder), name, peers
        self.port, self.monitor, self.route = free_port(), free_port(), free_port()
        self.process = None

    def start(self):
        """Starts it; its data are those of the last time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cluster = ""
        if self.peers:
            routes = ", ".join(f'"nats://127.0.0.1:{peer.route}"' for peer in self.peers)
            # Addresses are not told to clients: their way is through the proxies.
            cluster = f'cluster {{ name: "faults", listen: "127.0.0.1:{self.route}", no_advertise: true, routes: [{routes}] }}\n'
        config = self.folder / "server.conf"
        config.write_text(
            f'server_name: "{self.name}"\nlisten: "127.0.0.1:{self.port}"\nhttp: "127.0.0.1:{self.monitor}"\n'
            f'jetstream {{ store_dir: "{self.folder}/data", sync_interval: always }}\n{cluster}'
        )
        log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen([str(self.binary), "-c", str(config)], stdout=log, stderr=log)
        return self

    def is_up(self):
        """Whether the process lives and takes connections."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
            return True
        except OSError:
            return False

    def is_healthy(self):
        """Whether JetStream answers, too."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/healthz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self, how):
        """Ends it by a signal and waits."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()

    def kill(self):
        self.stop(signal.SIGKILL)


class Servers:
    """All servers of a run."""

    def __init__(self, binary, folder, count):
        folder = pathlib.Path(folder)
        self.all = [Server(binary, folder / f"server-{n}", f"s{n}") for n in range(count)]
        if count > 1:
            for server in self.all:
                server.peers = [peer for peer in self.all if peer is not server]

    def start(self):
        for server in self.all:
            server.start()
        self.wait()

    def wait(self):
        """Waits until every server is healthy."""
        until = time.monotonic() + READY_SECONDS
        while not all(server.is_healthy() for server in self.all):
            if time.monotonic() > until:
                raise TimeoutError("the servers do not become healthy")
            time.sleep(0.1)

    def urls(self):
        return [f"nats://127.0.0.1:{server.port}" for server in self.all]

    def kill(self):
        for server in self.all:
            server.kill()
