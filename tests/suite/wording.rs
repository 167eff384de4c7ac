//! The words of alerts: both built-in sets whole, a company's file laid over them, faults of such files as goldens.

use mimamori::case::summary::Origin;
use mimamori::diag::{Grave, SourceText};
use mimamori::edge::notify::digest::{List, render};
use mimamori::model::message::{Channel, SkippedKind};
use mimamori::model::severity::{Category, Lane, Level};
use mimamori::policy::{Policy, Recipient, SHIPPED, Track};
use mimamori::wording::hole::Hole;
use mimamori::wording::text::{Form, Text};
use mimamori::wording::{ENGLISH, JAPANESE, Language, Piece, Texts};
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/texts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("cases").map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn source(file: &Path) -> SourceText {
    SourceText { name: file.file_name().expect("name").to_string_lossy().into_owned(), text: fs::read_to_string(file).expect("readable") }
}

fn both() -> [Texts; 2] {
    [Language::Japanese, Language::English].map(Texts::built_in)
}

#[test]
fn faults_are_rendered_as_recorded() {
    let files = cases();
    assert!(files.len() >= 8, "only {} cases", files.len());
    let mut differing = vec![];
    for file in files {
        let source = source(&file);
        let (texts, faults) = Texts::parse(&source, Language::Japanese);
        let is_good = file.ends_with("good.toml");
        assert_eq!(texts.is_some(), is_good, "{}", file.display());
        assert_eq!(faults.iter().any(|fault| fault.grave == Grave::Error), !is_good, "{}", file.display());
        let shown = mimamori::diag::render(&faults, &[source], false) + "\n";
        let golden = file.with_extension("out");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &shown).expect("written");
        }
        if fs::read_to_string(&golden).unwrap_or_default() != shown {
            differing.push(format!("{}:\n{shown}", file.display()));
        }
    }
    assert!(differing.is_empty(), "run with UPDATE_GOLDENS=1 and review:\n{}", differing.join("\n"));
}

#[test]
fn a_file_replaces_what_it_names_and_nothing_else() {
    let good = cases().into_iter().find(|file| file.ends_with("good.toml")).expect("there");
    let texts = Texts::parse(&source(&good), Language::Japanese).0.expect("sound");
    let [built_in, _] = both();
    assert_eq!(texts.plain(Text::HeadingPoint), "まず読むところ");
    assert_eq!(texts.plain(Text::HeadingNow), built_in.plain(Text::HeadingNow));
    assert_eq!((texts.level(Level::Emergency), texts.level(Level::Severe)), ("最重要", "重度の疑い"));
    let last = texts.pieces(Text::BodyAlert).last().cloned();
    assert_eq!(last, Some(Piece::Words("\n{夜間} 内線 7119\n".to_owned())));
    assert!(texts.pieces(Text::BodyAlert).iter().all(|piece| *piece != Piece::Hole(Hole::Reasons)));
}

#[test]
fn the_shipped_files_may_be_given_as_they_are() {
    for (text, language) in [(JAPANESE, Language::Japanese), (ENGLISH, Language::English)] {
        let source = SourceText { name: "texts.toml".into(), text: text.into() };
        let (texts, faults) = Texts::parse(&source, language);
        assert_eq!((texts, faults), (Some(Texts::built_in(language)), vec![]));
    }
    // Given over the other language, a whole file leaves nothing of it.
    let source = SourceText { name: "texts.toml".into(), text: ENGLISH.into() };
    let over = Texts::parse(&source, Language::Japanese).0.expect("sound");
    assert!(Text::ALL.iter().all(|text| over.pieces(*text) == Texts::built_in(Language::English).pieces(*text)));
}

#[test]
fn japanese_names_are_those_of_the_model() {
    let [japanese, english] = both();
    let mut pairs: Vec<(&str, &str, &str)> = vec![];
    pairs.extend(Level::ALL.map(|one| (japanese.level(one), one.name(), english.level(one))));
    pairs.extend(Category::ALL.iter().map(|one| (japanese.category(*one), one.name(), english.category(*one))));
    pairs.extend(Lane::ALL.iter().map(|one| (japanese.lane(*one), one.name(), english.lane(*one))));
    pairs.extend(Track::ALL.map(|one| (japanese.track(one), one.name(), english.track(one))));
    pairs.extend(Channel::ALL.map(|one| (japanese.channel(one), one.name(), english.channel(one))));
    pairs.extend(SkippedKind::ALL.map(|one| (japanese.unread(one), one.name(), english.unread(one))));
    pairs.extend(Origin::ALL.map(|one| (japanese.place(one.id()), one.name(), english.place(one.id()))));
    assert!(pairs.len() > 40);
    for (japanese, name, english) in pairs {
        assert_eq!(japanese, name);
        assert!(!english.is_empty() && english.is_ascii(), "{name}: {english}");
    }
}

#[test]
fn english_has_no_japanese_but_the_quotes() {
    let [_, english] = both();
    for text in Text::ALL {
        for piece in english.pieces(*text) {
            let Piece::Words(words) = piece else { continue };
            assert!(words.chars().all(|c| c.is_ascii() || "「」●".contains(c)), "{text:?}: {words}");
        }
    }
}

#[test]
fn a_digest_reads_in_both_languages() {
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
    let digest = policy.digests.first().expect("one");
    let to = Recipient { person: "sv".into(), name: "SV".into(), channel: "mail".into(), address: "sv@example.jp".into() };
    let slot = "2026-11-23T22:30:00Z".parse().expect("a time");
    let [japanese, english] = both().map(|texts| {
        let lists = [
            List { title: texts.plain(Text::DigestOpen), lines: vec!["C-1".into(), "C-2".into()], more: 3 },
            List { title: texts.level(Level::Watch).to_owned(), lines: vec![], more: 0 },
        ];
        render(digest, &to, &lists, slot, &policy, &texts)
    });
    assert_eq!(japanese.subject, format!("【見守り｜一覧】{} 11月24日 07:30｜未受領5", digest.name));
    assert_eq!(japanese.text, "■ 未受領\n  C-1\n  C-2\n  ほか3件(mimamori case list)\n\n■ 要注意\n  ありません\n");
    assert_eq!(english.subject, format!("[Mimamori | list] {} 2026-11-24 07:30 | Not accepted: 5", digest.name));
    assert_eq!(english.text, "■ Not accepted\n  C-1\n  C-2\n  and 3 more (mimamori case list)\n\n■ Watch\n  None\n");
    assert!(japanese.html.contains("lang=\"ja\"") && english.html.contains("lang=\"en\""));
}

/// Whatever a company writes, its file cannot ask for a customer's words where they must not stand.
#[test]
fn what_leaves_the_company_cannot_ask_for_customer_words() {
    let is_outside = |text: &Text| {
        text.form() == Form::Subject
            || matches!(text.table(), "step" | "known" | "badge" | "take")
            || *text == Text::BodyOffsite
            || *text == Text::HeadingDeadline
    };
    let outside: Vec<Text> = Text::ALL.iter().copied().filter(is_outside).collect();
    assert!(outside.len() >= 25, "{outside:?}");
    for text in outside {
        for hole in text.must().iter().chain(text.may()) {
            assert!(!hole.holds_customer_words(), "{text:?} may ask for {hole:?}");
        }
        // And the reader says so for every such placeholder.
        for hole in Hole::ALL.iter().filter(|hole| hole.holds_customer_words()) {
            let given = format!("[{}]\n{} = \"{{{}}}\"\n", text.table(), text.key(), hole.id());
            let (texts, faults) = Texts::parse(&SourceText { name: "t.toml".into(), text: given }, Language::Japanese);
            assert!(texts.is_none() && faults.iter().any(|fault| fault.code == "texts.customer-words"), "{text:?} {hole:?}: {faults:?}");
        }
    }
}

#[test]
fn a_running_worker_takes_over_changed_words_and_refuses_faulty_ones() {
    use crate::support::{Site, wait_for};
    use std::time::Duration;
    let site = Site::new("[notify]\ntexts = \"texts.toml\"\n[notify.outbox]\ndir = \"outbox\"\n");
    let put = |text: &str| {
        fs::write(site.path("texts.new"), text).expect("written");
        fs::rename(site.path("texts.new"), site.path("texts.toml")).expect("renamed");
    };
    put("[heading]\npoint = \"はじめの言葉\"\n");
    let _worker = site.start_ready();
    let told = |id: &str, words: &str| {
        let line = format!(r#"{{"id":"{id}","channel":"chat","conversation":"{id}","text":"お前みたいな無能は消えろ、このクズ"}}"#);
        assert_eq!(site.run_with(&["submit"], line.as_bytes()).status.code(), Some(0));
        wait_for(words, Duration::from_secs(20), || {
            let rows = fs::read_dir(site.path("outbox")).ok()?.flatten();
            let mails = rows.filter_map(|row| fs::read(row.path()).ok());
            let mut texts = mails.filter_map(|raw| {
                let mail = mail_parser::MessageParser::default().parse(&raw)?.into_owned();
                Some(mail.body_text(0)?.into_owned())
            });
            texts.any(|text| text.contains(words)).then_some(())
        });
    };
    told("w-1", "はじめの言葉");
    put("[heading]\npoint = \"あとの言葉\"\n[heding]\n");
    wait_for("the refusal", Duration::from_secs(20), || site.log().contains("did you mean `heading`?").then_some(()));
    put("[heading]\npoint = \"つぎの言葉\"\n");
    wait_for("other words", Duration::from_secs(20), || site.log().contains("other words of alerts are in force").then_some(()));
    told("w-2", "つぎの言葉");
}
