//! The company's own words for alerts: read at the start, and again when their file changes.

use crate::app::policy::{Stamp, stamp};
use crate::app::{Faults, unreadable};
use crate::config::settings::NotifySettings;
use crate::diag::SourceText;
use crate::wording::Texts;
use crate::wording::read::TEXTS_BYTES_MAX;
use std::io;
use std::path::Path;

/// The built-in set of the configured language, with what the named file replaces.
pub(crate) fn read_configured(settings: &NotifySettings, faults: &mut Faults) -> Option<Texts> {
    let Some(path) = &settings.texts else { return Some(Texts::built_in(settings.language)) };
    let text = bounded(path).map_err(|error| faults.diagnostics.push(unreadable("texts.file", path, &error))).ok()?;
    let source = SourceText { name: path.display().to_string(), text };
    let (texts, diagnostics) = Texts::parse(&source, settings.language);
    faults.diagnostics.extend(diagnostics);
    faults.sources.push(source);
    texts
}

/// The file of the texts in force.
#[derive(Debug, Clone)]
pub struct TextFile {
    settings: NotifySettings,
    stamp: Stamp,
}

impl TextFile {
    /// Watches the file that `settings` names, if there is one.
    pub fn watch(settings: &NotifySettings) -> Self {
        // What changed between reading and now is read again: the stamp starts empty.
        Self { settings: settings.clone(), stamp: None }
    }

    /// The texts of a changed file; the faults, rendered, of one that must not be used. Blocks on the disk.
    pub fn poll(&mut self) -> Option<Result<Texts, String>> {
        let stamp = self.settings.texts.as_deref().and_then(stamp)?;
        if self.stamp == Some(stamp) {
            return None;
        }
        self.stamp = Some(stamp);
        let mut faults = Faults::default();
        let texts = read_configured(&self.settings, &mut faults);
        Some(texts.ok_or_else(|| crate::diag::render(&faults.diagnostics, &faults.sources, false)))
    }
}

fn bounded(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > TEXTS_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {TEXTS_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path)
}
