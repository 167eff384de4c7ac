//! Lexicon files of a profile: base folder, industry packs, site overlay. Built-in copies serve where no folder exists.

use crate::app::{Faults, unreadable};
use crate::config::settings::LexiconSettings;
use crate::diag::{Grave, SourceText};
use crate::engine::Engine;
use crate::engine::lexicon;
use crate::engine::reader::model::Model;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The shipped files, for an installed program without a lexicon folder. A test holds them equal to the folder.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("coercion.toml", include_str!("../../lexicons/coercion.toml")),
    ("cues.toml", include_str!("../../lexicons/cues.toml")),
    ("discrimination.toml", include_str!("../../lexicons/discrimination.toml")),
    ("exposure.toml", include_str!("../../lexicons/exposure.toml")),
    ("extortion.toml", include_str!("../../lexicons/extortion.toml")),
    ("frames.toml", include_str!("../../lexicons/frames.toml")),
    ("guidance.toml", include_str!("../../lexicons/guidance.toml")),
    ("insult.toml", include_str!("../../lexicons/insult.toml")),
    ("lanes.toml", include_str!("../../lexicons/lanes.toml")),
    ("ledger.toml", include_str!("../../lexicons/ledger.toml")),
    ("neutral-mined.toml", include_str!("../../lexicons/neutral-mined.toml")),
    ("neutral.toml", include_str!("../../lexicons/neutral.toml")),
    ("obstruction.toml", include_str!("../../lexicons/obstruction.toml")),
    ("persistence.toml", include_str!("../../lexicons/persistence.toml")),
    ("privacy.toml", include_str!("../../lexicons/privacy.toml")),
    ("self_harm.toml", include_str!("../../lexicons/self_harm.toml")),
    ("sexual.toml", include_str!("../../lexicons/sexual.toml")),
    ("threat.toml", include_str!("../../lexicons/threat.toml")),
    ("veiled.toml", include_str!("../../lexicons/veiled.toml")),
];

/// Folder of industry packs below the lexicon folder.
const PACKS: &str = "packs";

/// The weights of the second reader in the lexicon folder; a folder without it judges by the lexicons alone.
pub const READER: &str = "reader/weights.bin";

/// The shipped weights.
const READER_BUILT_IN: &[u8] = include_bytes!("../../lexicons/reader/weights.bin");

/// One engine per profile; faults are collected, and a profile with errors is left out.
pub fn engines(settings: &LexiconSettings, faults: &mut Faults) -> BTreeMap<String, Arc<Engine>> {
    let base = base(&settings.dir, faults);
    let reader = reader(&settings.dir, faults).map(Arc::new);
    let mut engines = BTreeMap::new();
    for profile in &settings.profiles {
        let mut sources = base.clone();
        for pack in &profile.packs {
            sources.extend(read(&settings.dir.join(PACKS).join(format!("{pack}.toml")), faults));
        }
        if let Some(site) = &profile.site {
            sources.extend(read(site, faults));
        }
        let lexicon::Compiled { lexicon, mut diagnostics } = lexicon::compile(&sources);
        diagnostics.retain(|fault| fault.grave == Grave::Error && !faults.diagnostics.contains(fault));
        faults.diagnostics.extend(diagnostics);
        let known: Vec<SourceText> = sources.into_iter().filter(|source| !faults.sources.contains(source)).collect();
        faults.sources.extend(known);
        if let Some(lexicon) = lexicon {
            match Engine::new(lexicon) {
                Ok(engine) => {
                    let engine = match &reader {
                        Some(reader) => engine.with_reader(Arc::clone(reader)),
                        None => engine,
                    };
                    engines.insert(profile.name.clone(), Arc::new(engine));
                }
                Err(error) => faults.diagnostics.push(unreadable("lexicon.size", &settings.dir, &std::io::Error::other(error))),
            }
        }
    }
    engines
}

/// The base lexicon: the `*.toml` of `folder`, or the built-in files where the folder does not exist.
pub fn base(folder: &Path, faults: &mut Faults) -> Vec<SourceText> {
    if folder.exists() {
        return read(folder, faults);
    }
    let built_in = |(name, text): &(&str, &str)| SourceText { name: format!("built-in/{name}"), text: (*text).to_owned() };
    BUILT_IN.iter().map(built_in).collect()
}

/// The second reader of `folder`, or the built-in one where the folder does not exist.
pub fn reader(folder: &Path, faults: &mut Faults) -> Option<Model> {
    let file = folder.join(READER);
    let bytes = match (folder.exists(), file.exists()) {
        (false, _) => READER_BUILT_IN.to_vec(),
        (true, false) => return None,
        (true, true) => match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) => {
                faults.diagnostics.push(unreadable("lexicon.reader", &file, &error));
                return None;
            }
        },
    };
    match Model::from_bytes(&bytes) {
        Ok(model) => Some(model),
        Err(error) => {
            faults.diagnostics.push(unreadable("lexicon.reader", &file, &std::io::Error::other(error)));
            None
        }
    }
}

/// One file, or the `*.toml` of a folder in the order of their names.
pub fn read(path: &Path, faults: &mut Faults) -> Vec<SourceText> {
    let files = match std::fs::read_dir(path) {
        Ok(rows) => {
            let mut files: Vec<PathBuf> =
                rows.flatten().map(|row| row.path()).filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
            files.sort();
            files
        }
        Err(_) => vec![path.to_path_buf()],
    };
    let mut sources = vec![];
    for file in files {
        match std::fs::read_to_string(&file) {
            Ok(text) => sources.push(SourceText { name: file.display().to_string(), text }),
            Err(error) => faults.diagnostics.push(unreadable("lexicon.file", &file, &error)),
        }
    }
    sources
}
