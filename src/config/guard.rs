//! `[audit]`, `[canary]` and `[watchdog]`: mimamori watched by itself, and from outside.

use std::path::PathBuf;
use std::time::Duration;

/// Pause between two passes of the auditor: a loss is found while people can still look into the inbox.
pub const AUDIT_EVERY_DEFAULT: Duration = Duration::from_mins(1);

/// Pause between two canaries: as often as people are told, a third of the time after which they are.
pub const CANARY_EVERY_DEFAULT: Duration = Duration::from_mins(1);

/// Time without a canary after which people are told: three missed ones, or one long restart.
pub const LATE_AFTER_DEFAULT: Duration = Duration::from_mins(3);

/// Pause between two looks of the watchdog.
pub const LOOK_EVERY_DEFAULT: Duration = Duration::from_secs(30);

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Pause between two passes; zero for none.
    pub every: Duration,
}

impl AuditSettings {
    /// Whether there are any.
    pub const fn is_on(&self) -> bool {
        !self.every.is_zero()
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { every: AUDIT_EVERY_DEFAULT }
    }
}

/// `[canary]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanarySettings {
    /// Pause between two; zero for none.
    pub every: Duration,
    /// Time without one that came back after which people are told.
    pub late_after: Duration,
    /// Mail address that takes and forgets them; without one the way ends at the stored judgement.
    pub to: Option<String>,
    /// People and teams of the policy who are told; empty for those who are told first of what could not be judged.
    pub alarm: Vec<String>,
}

impl CanarySettings {
    /// Whether there are any.
    pub const fn is_on(&self) -> bool {
        !self.every.is_zero()
    }
}

impl Default for CanarySettings {
    fn default() -> Self {
        Self { every: CANARY_EVERY_DEFAULT, late_after: LATE_AFTER_DEFAULT, to: None, alarm: vec![] }
    }
}

/// `[watchdog]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchdogSettings {
    /// Where the worker's probes are: scheme, host and port.
    pub url: String,
    /// Pause between two looks.
    pub every: Duration,
    /// Time without a good answer, or without a canary, after which people are told.
    pub late_after: Duration,
    /// What was seen and told, over restarts.
    pub state_file: PathBuf,
    /// File with an address that is called while all is well.
    pub heartbeat_url_file: Option<PathBuf>,
    /// Hosts of that address that may be in private networks, or be reached without TLS.
    pub private_hosts: Vec<String>,
}

impl Default for WatchdogSettings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8471".to_owned(),
            every: LOOK_EVERY_DEFAULT,
            late_after: LATE_AFTER_DEFAULT,
            state_file: "var/watchdog.json".into(),
            heartbeat_url_file: None,
            private_hosts: vec![],
        }
    }
}
