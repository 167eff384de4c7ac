//! A worker process of one's own: temporary folder, configuration, the built program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A temporary installation.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
}

impl Site {
    /// A folder with a configuration that touches nothing outside it; `more` is appended.
    pub(crate) fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let root = dir.path().display();
        let lexicons = Path::new(env!("CARGO_MANIFEST_DIR")).join("lexicons");
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy.toml");
        let notify = if more.contains("[notify]") {
            String::new()
        } else {
            format!("[notify]\ntransport = \"outbox\"\n[notify.outbox]\ndir = \"{root}/outbox\"\n")
        };
        // A message a minute that no test has sent would be in the way of most; those about it say so.
        let canary = if more.contains("[canary]") { "" } else { "[canary]\nevery_seconds = 0\n" };
        let config = format!(
            "[store]\npath = \"{root}/mimamori.db\"\n[intake.http]\nlisten = \"127.0.0.1:0\"\n[intake.spool]\ndir = \"{root}/spool\"\n[ops]\nlisten = \"127.0.0.1:0\"\n\
             [lexicon]\ndir = \"{}\"\n[policy]\nfile = \"{}\"\n{notify}{canary}{more}",
            lexicons.display(),
            policy.display()
        );
        fs::write(dir.path().join("mimamori.toml"), config).expect("config written");
        Self { dir }
    }

    /// The same with a policy of its own.
    pub(crate) fn with_policy(self, text: &str) -> Self {
        let config = fs::read_to_string(self.path("mimamori.toml")).expect("config read");
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml");
        let own = self.path("policy.toml").display().to_string();
        fs::write(&own, text).expect("policy written");
        fs::write(self.path("mimamori.toml"), config.replace(shipped, &own)).expect("config written");
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program on this site.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mimamori"));
        command.arg("--config").arg(self.path("mimamori.toml")).args(arguments).current_dir(self.dir.path());
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// Runs a verb with `input` on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("written");
        output
    }

    /// Starts the worker; its log goes to `worker.log`.
    pub(crate) fn start(&self) -> Worker {
        let log = fs::File::options().create(true).append(true).open(self.path("worker.log")).expect("log file");
        let child = self.command(&["run"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the worker starts");
        Worker { child: Some(child) }
    }

    /// Starts the worker and waits until it works: before, a signal would find nobody to handle it.
    pub(crate) fn start_ready(&self) -> Worker {
        let starts = self.log().matches("mimamori started").count();
        let worker = self.start();
        wait_for("the worker to start", Duration::from_mins(1), || (self.log().matches("mimamori started").count() > starts).then_some(()));
        worker
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("worker.log")).unwrap_or_default()
    }
}

/// A running worker process, killed when dropped.
pub(crate) struct Worker {
    child: Option<Child>,
}

impl Worker {
    /// kill -9.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// SIGTERM, then waits; the exit code and how long it took.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Duration) {
        let mut child = self.child.take().expect("running");
        let started = Instant::now();
        let done = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("kill runs");
        assert!(done.success());
        let status = child.wait().expect("reaped");
        (status.code(), started.elapsed())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Waits until `test` gives something.
pub(crate) fn wait_for<T>(what: &str, longest: Duration, mut test: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = test() {
            return found;
        }
        assert!(started.elapsed() < longest, "waited {longest:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A real mail server process, killed when dropped.
pub(crate) struct MailServer {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
    /// What it accepted.
    pub(crate) folder: tempfile::TempDir,
}

impl MailServer {
    /// Starts `smtp_server.py` with the interpreter that `tests/run` prepared.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        use std::io::{BufRead, BufReader};
        let python = std::env::var("MIMAMORI_TEST_PYTHON")
            .expect("MIMAMORI_TEST_PYTHON names a Python with aiosmtpd: run the tests by `tests/run`, which installs it");
        let folder = tempfile::tempdir().expect("temporary folder");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/smtp_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its port");
        Self { child, port: line.trim().parse().expect("a port"), folder }
    }

    /// Every accepted mail, in order.
    pub(crate) fn mails(&self) -> Vec<Vec<u8>> {
        let mut mails = vec![];
        for n in 1.. {
            let Ok(mail) = fs::read(self.folder.path().join(format!("{n}.eml"))) else { break };
            mails.push(mail);
        }
        mails
    }

    /// The envelope of the n-th mail, from 1.
    pub(crate) fn envelope(&self, n: usize) -> serde_json::Value {
        let text = fs::read(self.folder.path().join(format!("{n}.json"))).expect("an envelope");
        serde_json::from_slice(&text).expect("json")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Worker {
    /// Highest resident memory so far, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let id = self.child.as_ref().expect("running").id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }
}

impl Site {
    /// Messages not settled yet.
    pub(crate) fn pending(&self) -> u64 {
        use mimamori::store::Queue;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let store = mimamori::edge::embedded::Embedded::open(&self.path("mimamori.db")).expect("opens");
            store.state().await.expect("state").pending
        })
    }

    /// Verdicts and dead letters in the store.
    pub(crate) fn counts(&self) -> (u64, u64) {
        use mimamori::store::{Store, Stream};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let store = mimamori::edge::embedded::Embedded::open(&self.path("mimamori.db")).expect("opens");
            let seq = |entry: Option<mimamori::store::StreamEntry>| entry.map_or(0, |entry| entry.seq);
            let (verdicts, dead) = (store.last(Stream::Verdict).await.expect("last"), store.last(Stream::Dead).await.expect("last"));
            (seq(verdicts), seq(dead))
        })
    }
}
