//! The policy file and its rota: read together, and read again when either changes.

use crate::app::{Faults, unreadable};
use crate::config::settings::Settings;
use crate::diag::{Diagnostic, Grave, SourceText};
use crate::policy::Policy;
use crate::policy::read::rota::{self, ROTA_BYTES_MAX};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Reads the configured policy. A fresh installation has none yet: the shipped one names example people, and `run` says so.
pub(crate) fn read_configured(settings: &Settings, faults: &mut Faults) -> Option<Policy> {
    let path = &settings.policy.file;
    let shipped = (*path == Settings::default().policy.file).then_some(crate::policy::SHIPPED);
    read(path, shipped, faults)
}

/// Reads a policy and the rota it names; `instead` stands in for a file that is not there.
pub fn read(path: &Path, instead: Option<&str>, faults: &mut Faults) -> Option<Policy> {
    let text = match (std::fs::read_to_string(path), instead) {
        (Ok(text), _) => text,
        (Err(_), Some(shipped)) => shipped.to_owned(),
        (Err(error), None) => {
            faults.diagnostics.push(unreadable("policy.file", path, &error));
            return None;
        }
    };
    let source = SourceText { name: path.display().to_string(), text };
    let (policy, diagnostics) = Policy::parse(&source);
    faults.diagnostics.extend(diagnostics);
    faults.sources.push(source);
    let mut policy = policy?;
    if let Some(file) = rota_path(path, &policy) {
        policy.rota = read_rota(&file, &policy, faults)?;
    }
    Some(policy)
}

fn rota_path(path: &Path, policy: &Policy) -> Option<PathBuf> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    policy.rota_file.as_ref().map(|file| folder.join(file))
}

fn read_rota(path: &Path, policy: &Policy, faults: &mut Faults) -> Option<crate::policy::Rota> {
    let fault = |title: String, help: String| {
        let file = path.display().to_string();
        Diagnostic { grave: Grave::Error, code: "rota.file", title, file, span: 0..0, label: String::new(), help }
    };
    let bytes = match std::fs::metadata(path).map(|about| about.len()) {
        Ok(size) if size > ROTA_BYTES_MAX => {
            let title = format!("a rota of {size} bytes");
            faults.diagnostics.push(fault(title, format!("at most {ROTA_BYTES_MAX}: leave out what is past")));
            return None;
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    let bytes = bytes.map_err(|error| faults.diagnostics.push(unreadable("rota.file", path, &error))).ok()?;
    let Some(text) = rota::decode(&bytes) else {
        faults.diagnostics.push(fault("neither UTF-8 nor CP932".to_owned(), "save it as CSV (UTF-8)".to_owned()));
        return None;
    };
    let source = SourceText { name: path.display().to_string(), text };
    let (rota, diagnostics) = rota::rota(&source, policy);
    faults.diagnostics.extend(diagnostics);
    faults.sources.push(source);
    rota
}

/// What a look at the files found.
#[derive(Debug, PartialEq, Eq)]
pub enum Reload {
    /// As before.
    Unchanged,
    /// Another policy.
    Applied,
    /// A faulty one: the old stays. The faults, rendered.
    Refused(String),
}

/// When and how large: what a look costs must not grow with the file.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The files of the policy in force.
#[derive(Debug, Clone)]
pub struct Files {
    path: PathBuf,
    shipped: Option<&'static str>,
    stamps: (Stamp, Stamp),
    policy: Arc<Policy>,
}

impl Files {
    /// Watches the files that `policy` was read from.
    pub fn watch(settings: &Settings, policy: &Arc<Policy>) -> Self {
        let path = settings.policy.file.clone();
        let shipped = (path == Settings::default().policy.file).then_some(crate::policy::SHIPPED);
        // What changed between reading and now is read again: the stamps start empty.
        Self { path, shipped, stamps: (None, None), policy: Arc::clone(policy) }
    }

    /// The policy of the files, the last sound one.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Looks whether they changed. Blocks on the disk.
    pub fn poll(&mut self) -> Reload {
        let rota = rota_path(&self.path, &self.policy);
        let stamps = (stamp(&self.path), rota.as_deref().and_then(stamp));
        if stamps == self.stamps {
            return Reload::Unchanged;
        }
        self.stamps = stamps;
        let mut faults = Faults::default();
        let Some(policy) = read(&self.path, self.shipped, &mut faults) else {
            return Reload::Refused(crate::diag::render(&faults.diagnostics, &faults.sources, false));
        };
        if policy == *self.policy {
            return Reload::Unchanged;
        }
        if policy.channels != self.policy.channels {
            return Reload::Refused("its channels are others: ways out are opened at the start, so restart the worker".to_owned());
        }
        // A rota of another name is watched from now on.
        self.policy = Arc::new(policy);
        self.stamps.1 = rota_path(&self.path, &self.policy).as_deref().and_then(stamp);
        Reload::Applied
    }
}

pub(crate) fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}
