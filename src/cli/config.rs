//! `config check|default`: what the configuration, the policy and the lexicons say; and a file to start from.

use crate::app;
use crate::cli::load;
use crate::cli::{Common, Exit, Format, Outcome};
use crate::config::load::SHIPPED;
use crate::diag;
use clap::Subcommand;
use std::io::Write;

/// Verbs of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Read configuration, environment, policy and lexicons as `run` would; print every fault at once.
    Check,
    /// Print the shipped configuration: every option with its default.
    Default,
}

/// Runs the verb.
pub fn run(verb: &ConfigVerb, common: &Common, out: &mut impl Write) -> Outcome {
    match verb {
        ConfigVerb::Default => {
            out.write_all(SHIPPED.as_bytes())?;
            Ok(Exit::Done)
        }
        ConfigVerb::Check => check(common, out),
    }
}

fn check(common: &Common, out: &mut impl Write) -> Outcome {
    if common.format == Format::Json {
        let faults = app::load(common.config.as_deref()).map_or_else(|faults| faults.diagnostics, |loaded| loaded.prepared.warnings);
        let refused = faults.iter().any(|fault| fault.grave == diag::Grave::Error);
        for fault in faults {
            writeln!(out, "{}", serde_json::to_string(&fault).unwrap_or_default())?;
        }
        return Ok(if refused { Exit::Refused } else { Exit::Done });
    }
    let loaded = load::loaded(common)?;
    writeln!(out, "設定・方針・辞書に誤りはありません。")?;
    writeln!(
        out,
        "  方針  版{} {}施行 {}",
        loaded.prepared.policy.version,
        loaded.prepared.policy.effective,
        loaded.prepared.policy.digest()
    )?;
    writeln!(out, "  辞書  {}", loaded.engine().lexicon().digest)?;
    if loaded.prepared.settings.alerts_only_to_folder() {
        writeln!(
            out,
            "注意: 通知はフォルダー {} に書かれるだけで、誰にも届きません。",
            loaded.prepared.settings.notify.outbox_dir.display()
        )?;
    }
    Ok(Exit::Done)
}
