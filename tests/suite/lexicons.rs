//! The shipped lexicons compile without errors and keep every promise their examples make; bad files get the right complaint.
//!
//! `MIMAMORI_LEXICONS` names folders to try instead of `lexicons/`, separated by colons. `UPDATE_GOLDENS=1` rewrites the goldens.

use mimamori::diag::{Diagnostic, Grave, SourceText, render};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::{compile, examples};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The TOML files of a folder, by name.
pub fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    let mut files = entries.unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The sources of the lexicons to be tried.
pub fn shipped() -> Vec<SourceText> {
    let folders = std::env::var("MIMAMORI_LEXICONS").unwrap_or_else(|_| root().join("lexicons").display().to_string());
    let files = folders.split(':').flat_map(|folder| toml_files(Path::new(folder)));
    files.map(|file| SourceText { name: file.display().to_string(), text: fs::read_to_string(&file).expect("readable") }).collect()
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    diagnostics.iter().filter(|diagnostic| diagnostic.grave == Grave::Error).cloned().collect()
}

#[test]
fn every_shipped_lexicon_compiles() {
    let sources = shipped();
    let compiled = compile(&sources);
    let errors = errors(&compiled.diagnostics);
    assert!(errors.is_empty(), "{} errors\n{}", errors.len(), render(&errors, &sources, false));
}

#[test]
fn every_example_holds() {
    let sources = shipped();
    let Some(lexicon) = compile(&sources).lexicon else { return };
    let engine = Engine::new(lexicon).expect("builds");
    let failures = examples::run(&engine);
    let mut shown = String::new();
    for failure in &failures {
        let line = sources.iter().find(|source| source.name == failure.file).map_or(0, |source| source.line_column(failure.span.start).0);
        let (file, entry, text) = (&failure.file, &failure.entry, &failure.text);
        writeln!(shown, "{file}:{line}: {entry} {} on `{text}`, but: {}", failure.expected, failure.got).expect("a string");
    }
    assert!(failures.is_empty(), "{} of {} examples fail\n{shown}", failures.len(), engine.lexicon().examples.len());
}

#[test]
fn bad_lexicons_get_the_right_complaint() {
    let files = toml_files(&root().join("tests/cases/lexicon"));
    assert!(!files.is_empty(), "no case found");
    let mut broken = vec![];
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sources = [SourceText { name, text: fs::read_to_string(&file).expect("readable") }];
        let diagnostics = compile(&sources).diagnostics;
        let shown = render(&diagnostics, &sources, false) + "\n";
        let golden = file.with_extension("out");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &shown).expect("writable");
        }
        if diagnostics.is_empty() || fs::read_to_string(&golden).ok().as_ref() != Some(&shown) {
            broken.push(format!("{}:\n{shown}", golden.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_later_layer_replaces_whole_objects() {
    let file = |name: &str, layer: &str, form: &str| SourceText {
        name: name.to_owned(),
        text: format!(
            "format = 1\n[lexicon]\nid = \"{name}\"\ntitle = \"t\"\nlayer = \"{layer}\"\n[[entry]]\nid = \"insult.x\"\ncategory = \"insult\"\n\
             level = 2\nforms = [\"{form}\"]\nhit = [\"{form}\"]\nmiss = [\"x\"]\n"
        ),
    };
    let (base, site) = (file("base", "base", "馬鹿"), file("site", "site", "阿呆"));
    let forward = compile(&[base.clone(), site.clone()]).lexicon.expect("compiles");
    let backward = compile(&[site.clone(), base.clone()]).lexicon.expect("compiles");
    assert_eq!(forward.digest, backward.digest);
    let texts: Vec<&str> = forward.examples.iter().map(|example| example.text.as_str()).collect();
    assert_eq!(texts, ["阿呆", "x"]);
    let alone = compile(&[base]).lexicon.expect("compiles");
    assert_ne!(alone.digest, forward.digest);
    assert!(compile(&[site.clone(), site]).lexicon.is_none(), "twice in one layer");
}

#[test]
fn disguised_abuse_is_still_found() {
    use mimamori::engine::workbench::mutate::{Plan, measure};
    let Some(lexicon) = compile(&shipped()).lexicon else { return };
    let engine = Engine::new(lexicon).expect("builds");
    let scores = measure(&engine, &Plan { classes: vec![], seed: 2, mutants: 2, misses: 5 });
    let weak: Vec<_> = scores.iter().filter(|score| score.mutants == 0 || !score.reaches(950)).collect();
    assert!(weak.is_empty(), "{weak:#?}");
    let (pairs, opted_out) = scores.iter().fold((0, 0), |sum, score| (sum.0 + score.entries, sum.1 + score.opted_out.len()));
    assert!(opted_out * 20 <= pairs, "{opted_out} of {pairs} pairs of entry and class opted out");
}

#[test]
fn collisions_are_hits_inside_other_words() {
    use mimamori::engine::workbench::collisions::{Collision, collisions};
    let engine = Engine::new(compile(&shipped()).lexicon.expect("compiles")).expect("builds");
    let words = ["しね", "ハフマンコード", "殺虫剤", "机", "焼け死ね"].map(str::to_owned);
    let rows = collisions(&engine, words);
    let row = |entry: &str| rows.iter().find(|row| row.entry == entry);
    // Listed words are no collisions, mined and other neutral spans absorb, and what is left is named.
    assert_eq!(row("insult.die"), Some(&Collision { entry: "insult.die".to_owned(), words: vec!["焼け死ね".to_owned()], absorbed: 0 }));
    assert!(row("sexual.act").is_some_and(|row| row.words.is_empty() && row.absorbed == 1), "{rows:?}");
    assert!(row("threat.kill").is_none_or(|row| row.words.is_empty()), "{rows:?}");
}
