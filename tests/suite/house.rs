//! The floor plan, enforced: which module may mention which, and what the pure floors may not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Attribute, UseTree};

/// `(module, what it may mention)`: longest matching prefix wins. A module with no floor fails the test, so a new
/// folder cannot appear without someone deciding where it lives.
const FLOORS: &[(&str, &[&str])] = &[
    // ground: words
    ("model", &[]),
    ("diag", &[]),
    ("sheet", &["diag"]),
    ("store", &["model"]),
    // first floor: pure
    ("decode", &["model"]),
    ("engine::text", &["model"]),
    ("engine", &["model", "diag", "sheet"]),
    ("conversation", &["model", "decode::parts", "engine::text", "store::record"]),
    ("policy", &["model", "diag", "sheet"]),
    ("case", &["model", "policy", "store::record"]),
    ("eval", &["model"]),
    ("wording", &["model", "diag", "sheet", "policy"]),
    // second floor: settings
    ("config", &["model", "diag", "sheet", "decode", "policy", "conversation::limits", "wording"]),
    // edges: one outside system each; they never mention each other
    ("edge::embedded", &["model", "store", "decode::share"]),
    ("edge::twin", &["model", "store", "decode::share"]),
    ("edge::nats", &["model", "store", "decode"]),
    ("edge::evidence", &["model", "store"]),
    ("edge::notify", &["model", "case", "policy", "wording"]),
    ("edge::intake", &["model", "decode"]),
    ("edge::http", &["model", "store", "decode", "edge::intake", "edge::metrics"]),
    ("edge::spool", &["model", "store", "decode", "edge::intake", "edge::metrics"]),
    ("edge::shelter", &["model", "store"]),
    ("edge::metrics", &["model"]),
    ("edge", &[]),
    // roof
    ("worker", &["model", "store", "decode", "engine", "conversation", "policy", "case", "wording", "edge"]),
    ("app", &["model", "diag", "store", "decode", "engine", "conversation", "policy", "case", "wording", "config", "edge", "worker"]),
    (
        "cli",
        &[
            "model",
            "diag",
            "sheet",
            "store",
            "decode",
            "engine",
            "conversation",
            "policy",
            "case",
            "eval",
            "config",
            "edge",
            "worker",
            "app",
        ],
    ),
];

/// Floors without I/O, clock, randomness or async.
const PURE: &[&str] = &["model", "diag", "sheet", "decode", "engine", "conversation", "policy", "case", "eval", "wording"];
const IMPURE: &[&str] = &[
    "tokio",
    "axum",
    "lettre",
    "rusqlite",
    "tempfile",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
];

/// Longest source file, in lines: beyond it a newcomer loses the thread.
const FILE_LINES_MAX: usize = 500;

type Seen = BTreeSet<(String, usize)>;
struct Mentions(Seen);

impl<'a> Visit<'a> for Mentions {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        flatten(&item.tree, "", item.span().start().line, &mut self.0);
    }
    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.0.insert((names.join("::"), path.span().start().line));
        syn::visit::visit_path(self, path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("test")))
}

fn flatten(tree: &UseTree, at: &str, line: usize, out: &mut Seen) {
    match tree {
        UseTree::Path(p) => flatten(&p.tree, &format!("{at}{}::", p.ident), line, out),
        UseTree::Group(g) => g.items.iter().for_each(|t| flatten(t, at, line, out)),
        UseTree::Name(n) => _ = out.insert((format!("{at}{}", n.ident), line)),
        UseTree::Rename(r) => _ = out.insert((format!("{at}{}", r.ident), line)),
        UseTree::Glob(_) => _ = out.insert((format!("{at}*"), line)),
    }
}

fn within(path: &str, floor: &str) -> bool {
    path == floor || path.strip_prefix(floor).is_some_and(|rest| rest.starts_with("::"))
}

fn complaint(module: &str, mention: &str) -> Option<String> {
    let (own, may) = FLOORS
        .iter()
        .filter(|(floor, _)| within(module, floor))
        .max_by_key(|(floor, _)| floor.len())
        .unwrap_or_else(|| panic!("{module} has no floor: add it to FLOORS"));
    if mention.starts_with("super::") {
        return Some("write `crate::…` so that the floor can be read".into());
    }
    if PURE.iter().any(|p| within(module, p)) && IMPURE.iter().any(|i| within(mention, i)) {
        return Some(format!("a pure floor may not use {mention}"));
    }
    let target = mention.strip_prefix("crate::")?;
    let allowed = within(target, own) || may.iter().any(|m| within(target, m));
    (!allowed).then(|| format!("may not mention {target}"))
}

fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![];
    for entry in walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().flatten() {
        let file = entry.path().strip_prefix(&root).expect("inside src");
        if file.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let module = file.with_extension("").to_string_lossy().replace('/', "::");
        let module = module.trim_end_matches("::mod").to_owned();
        found.push((file.display().to_string(), module, fs::read_to_string(entry.path()).expect("readable source")));
    }
    assert!(found.len() > 10, "no sources found");
    found
}

#[test]
fn imports_only_point_down() {
    let mut broken = vec![];
    for (file, module, source) in sources() {
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let mut seen = Mentions(Seen::new());
        seen.visit_file(&syn::parse_file(&source).expect("parses"));
        broken
            .extend(seen.0.iter().filter_map(|(mention, line)| complaint(&module, mention).map(|why| format!("src/{file}:{line}: {why}"))));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_plan_catches_a_breach() {
    assert!(complaint("engine::matcher", "crate::edge::notify").is_some());
    assert!(complaint("edge::spool", "crate::edge::notify::smtp").is_some());
    assert!(complaint("policy::route", "tokio::time::sleep").is_some());
    assert!(complaint("case::record", "std::time::SystemTime").is_some());
    assert!(complaint("model::ids", "super::message").is_some());
    assert!(complaint("worker::process", "crate::engine::Engine").is_none());
}

#[test]
fn every_file_says_why_and_stays_short() {
    let mut broken = vec![];
    for (file, _, source) in sources() {
        if !source.starts_with("//!") {
            broken.push(format!("src/{file}: opens without a module doc"));
        }
        let lines = source.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("src/{file}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
