//! The company's own words for alerts, read once at the start.

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

fn bounded(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > TEXTS_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {TEXTS_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path)
}
