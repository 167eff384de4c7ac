//! Finding and reading the configuration: the one place of this floor that touches files.
//!
//! Order of the file: `--config`, then `MIMAMORI_CONFIG`, then [`CONFIG_FILE`] if it exists, else the built-in defaults. A file that was
//! named but cannot be read is an error; starting on defaults then would watch nothing.

use crate::config::environment::{Environment, Variable};
use crate::config::secret::{self, Secrets};
use crate::config::settings::Settings;
use crate::diag::{Diagnostic, Grave, SourceText};
use std::io;
use std::path::{Path, PathBuf};

/// The file read where none is named.
pub const CONFIG_FILE: &str = "config/mimamori.toml";

/// The shipped file: every option with its default.
pub const SHIPPED: &str = include_str!("../../config/mimamori.toml");

/// Largest configuration file, in bytes: anything longer is a mistaken path.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What was found, with every fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The settings; `None` if there is any error.
    pub settings: Option<Settings>,
    /// The secrets the settings ask for.
    pub secrets: Secrets,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts the diagnostics point into.
    pub sources: Vec<SourceText>,
}

impl Loaded {
    /// The diagnostics for a terminal.
    pub fn render(&self, colour: bool) -> String {
        crate::diag::render(&self.diagnostics, &self.sources, colour)
    }
}

/// Reads file, environment and secret files. `named` is the path given on the command line.
pub fn load(named: Option<&Path>, environment: &Environment) -> Loaded {
    let named = named.map(Path::to_path_buf).or_else(|| environment.get(Variable::Config).map(PathBuf::from));
    let source = match read_file(named.as_deref()) {
        Ok(source) => source,
        Err((name, error)) => {
            let diagnostics = vec![unreadable(name, &error)];
            return Loaded { settings: None, secrets: Secrets::default(), diagnostics, sources: vec![] };
        }
    };
    let (settings, mut diagnostics) = crate::config::read::settings(&source, environment);
    let mut secrets = Secrets::default();
    if let Some(settings) = &settings {
        let (found, faults) = secret::read(settings, environment);
        secrets = found;
        diagnostics.extend(faults);
    }
    let sound = !crate::config::layers::has_errors(&diagnostics);
    Loaded { settings: settings.filter(|_| sound), secrets, diagnostics, sources: vec![source, environment.source().clone()] }
}

fn read_file(named: Option<&Path>) -> Result<SourceText, (String, io::Error)> {
    let path = named.unwrap_or(Path::new(CONFIG_FILE));
    let name = path.display().to_string();
    match bounded(path) {
        Ok(text) => Ok(SourceText { name, text }),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(SourceText { name, text: String::new() }),
        Err(error) => Err((name, error)),
    }
}

fn bounded(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > CONFIG_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {CONFIG_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path)
}

fn unreadable(file: String, error: &io::Error) -> Diagnostic {
    Diagnostic {
        grave: Grave::Error,
        code: "config.file",
        title: format!("the configuration cannot be read: {error}"),
        file,
        span: 0..0,
        label: String::new(),
        help: "paths are relative to the current directory; `mimamori config default` prints a file to start from".to_owned(),
    }
}
