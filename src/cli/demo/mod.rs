//! `demo`: the worker on a temporary store with built-in sample traffic; prints the alerts a supervisor would get.

use crate::app::{self, Ending, Loaded, Running};
use crate::cli::{Common, Exit, Failure, Outcome, load};
use crate::config::settings::Transport;
use crate::edge::intake::{Submission, Terms};
use crate::model::digest::Digest;
use crate::model::envelope::{MESSAGE_BYTES_DEFAULT, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use crate::model::verdict::Verdict;
use crate::store::Stream;
use clap::Args;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// End when every sample is judged and every alert has left.
    #[arg(long)]
    once: bool,
}

/// The sample traffic: real mails in the charsets customers' programs write, and chat lines.
const SAMPLES: &[(&str, &[u8])] = &[
    ("01-veiled-threat.eml", include_bytes!("samples/01-veiled-threat.eml")),
    ("02-question-sjis.eml", include_bytes!("samples/02-question-sjis.eml")),
    ("03-care.eml", include_bytes!("samples/03-care.eml")),
    ("04-quoted-only.eml", include_bytes!("samples/04-quoted-only.eml")),
    ("05-angry-but-just.eml", include_bytes!("samples/05-angry-but-just.eml")),
    ("06-html.eml", include_bytes!("samples/06-html.eml")),
    ("07-emergency.eml", include_bytes!("samples/07-emergency.eml")),
    ("08-bounce.eml", include_bytes!("samples/08-bounce.eml")),
    ("chat.jsonl", include_bytes!("samples/chat.jsonl")),
];

/// Longest wait for everything to settle: far beyond what the samples need on a slow machine.
const SETTLE_MAX: Duration = Duration::from_mins(1);

/// Runs the verb.
pub fn run(arguments: &DemoArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let mut loaded = load::loaded(common)?;
    let folder = tempfile::tempdir()?;
    move_into(&mut loaded, folder.path());
    let settings = loaded.prepared.settings.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        app::init_backend(&settings).await.map_err(Failure::later)?;
        let outcome = play(arguments, loaded, out).await;
        app::remove_backend(&settings).await.map_err(Failure::later)?;
        outcome
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// Nothing of the demo may touch the real store, folders or ports, nor send mail.
fn move_into(loaded: &mut Loaded, folder: &std::path::Path) {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = &mut loaded.prepared.settings;
    settings.store.path = folder.join("mimamori.db");
    let own = Digest::of(folder.as_os_str().as_encoded_bytes()).key().chars().take(8).collect::<String>();
    let nats = &mut settings.nats;
    (nats.inbound_stream, nats.inbound_subjects) = (format!("DEMO_{own}_INBOUND"), format!("demo.{own}.inbound"));
    (nats.streams, nats.subjects, nats.buckets) = (format!("DEMO_{own}"), format!("demo.{own}.out"), format!("demo_{own}"));
    settings.intake.spool.dir = folder.join("spool");
    settings.notify.outbox_dir = folder.join("outbox");
    settings.notify.transport = Transport::Outbox;
    // Nobody else is told of sample traffic.
    settings.events.clear();
    settings.intake.http.listen = any_port;
    settings.ops.listen = any_port;
    // Its store lives for minutes, and its queue holds the samples alone.
    settings.canary.every = Duration::ZERO;
}

async fn play(arguments: &DemoArguments, loaded: Loaded, out: &mut impl Write) -> Outcome {
    let (sender, mut alerts) = mpsc::unbounded_channel();
    let listener = Box::new(move |_: &crate::case::CaseRecord, text: &str| {
        // The receiver lives as long as the worker; after that nobody reads.
        _ = sender.send(text.to_owned());
    });
    let stop = CancellationToken::new();
    tokio::spawn(app::watch::signals(stop.clone()));
    let running = app::start(loaded, Some(listener), stop.clone()).await.map_err(|error| Failure::later(format!("{error:#}")))?;
    let count = submit_samples(&running).await?;
    writeln!(out, "見守り デモ:{count}通の見本を受け付けました。通知は次のとおりです。\n")?;
    let deadline = tokio::time::Instant::now() + SETTLE_MAX;
    loop {
        print_alerts(&mut alerts, out)?;
        let settled = running.worker.is_settled().await?;
        if settled || stop.is_cancelled() || tokio::time::Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    print_alerts(&mut alerts, out)?;
    print_verdicts(&running, out).await?;
    if arguments.once {
        stop.cancel();
    } else {
        writeln!(
            out,
            "\n動作中です(Ctrl-C で終了)。別の端末から試せます:\n  curl -H 'Content-Type: application/json' --data '{{\"channel\":\"chat\",\"text\":\"土下座しろ\"}}' http://{}/v1/messages\n  curl http://{}/metrics",
            running.app_address, running.ops_address
        )?;
        out.flush()?;
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                text = alerts.recv() => if let Some(text) = text { print_alert(&text, out)? },
            }
        }
    }
    Ok(if running.finish().await == Ending::Orderly { Exit::Done } else { Exit::SomeFailed })
}

async fn submit_samples(running: &Running) -> Result<usize, Failure> {
    let terms = Terms {
        tenant: Tenant::default(),
        queue: QueueName::default(),
        source: Source::Demo,
        purpose: Purpose::Live,
        message_bytes: MESSAGE_BYTES_DEFAULT,
    };
    let mut envelopes = vec![];
    for (name, bytes) in SAMPLES {
        for item in Submission::open(*bytes, None, terms.clone())? {
            let mut envelope = item?.map_err(|refused| Failure::refused(format!("{name}: {}", refused.message)))?.envelope;
            // A mail has no id of its own; its file name says more than a digest.
            envelope.given_id.get_or_insert_with(|| (*name).to_owned());
            envelopes.push(envelope);
        }
    }
    let count = envelopes.len();
    for answer in running.backend.queue.submit(envelopes).await {
        answer?;
    }
    Ok(count)
}

fn print_alerts(alerts: &mut mpsc::UnboundedReceiver<String>, out: &mut impl Write) -> std::io::Result<()> {
    while let Ok(text) = alerts.try_recv() {
        print_alert(&text, out)?;
    }
    out.flush()
}

fn print_alert(text: &str, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}\n{}\n", "─".repeat(60), text.trim_end())?;
    out.flush()
}

async fn print_verdicts(running: &Running, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{}\n判定の一覧:", "─".repeat(60))?;
    for entry in running.backend.store.read(Stream::Verdict, 0, 1000).await? {
        let row: serde_json::Value = serde_json::from_slice(&entry.body).unwrap_or_default();
        let Ok(verdict) = serde_json::from_value::<Verdict>(row["verdict"].clone()) else { continue };
        let kinds: Vec<&str> = verdict.categories.iter().map(|one| one.name()).chain(verdict.lanes.iter().map(|one| one.name())).collect();
        let sign = if verdict.is_alert_due() { "通知" } else { "    " };
        let short: String = verdict.id.as_str().chars().take(22).collect();
        writeln!(out, "  {sign}  {} {:<6}  {short:<22}  {}", verdict.level, verdict.level_name, kinds.join("、"))?;
    }
    out.flush()?;
    Ok(())
}
