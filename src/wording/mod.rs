//! The words of alerts: headings, labels, sentences, names, in one set per language; a company may replace any of them.
//!
//! Pure. Both built-in sets are files of the form that a company writes, read by the same reader, so that every text can be
//! looked up in `config/texts.toml`. Each text has a closed list of placeholders: what may not be shown somewhere cannot be
//! asked for there. Filling never fails: whatever could be wrong was refused when the file was read.

use crate::diag::{Diagnostic, SourceText};
use crate::model::message::{Channel, SkippedKind};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::Role;
use crate::policy::Track;
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub mod hole;
pub mod read;
pub mod text;

use crate::wording::hole::Hole;
use crate::wording::text::Text;

/// The built-in Japanese set.
pub const JAPANESE: &str = include_str!("../../config/texts.toml");

/// The built-in English set.
pub const ENGLISH: &str = include_str!("../../config/texts.en.toml");

static BUILT_IN: LazyLock<[Texts; 2]> =
    LazyLock::new(|| [Language::Japanese, Language::English].map(|language| read::whole(language).expect("the shipped texts are sound")));

/// The language of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// 日本語
    #[default]
    Japanese,
    /// English headings and labels; what customers and the company wrote stays as it is.
    English,
}

impl Language {
    /// The tag of RFC 5646, used in files and pages.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }
}

/// A checked text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(Vec<Piece>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As written.
    Words(String),
    /// Filled in.
    Hole(Hole),
}

/// A whole set of checked texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    language: Language,
    /// In the order of [`Text::ALL`].
    templates: Vec<Template>,
    /// Names of closed sets, by table and id.
    names: BTreeMap<(&'static str, &'static str), String>,
}

impl Texts {
    /// The built-in set.
    pub fn built_in(language: Language) -> Self {
        let [japanese, english] = &*BUILT_IN;
        match language {
            Language::Japanese => japanese.clone(),
            Language::English => english.clone(),
        }
    }

    /// The built-in set with what a company's file replaces; nothing if there is any error. Every fault is returned.
    pub fn parse(source: &SourceText, language: Language) -> (Option<Self>, Vec<Diagnostic>) {
        read::over(source, Self::built_in(language))
    }

    /// The language of the set below.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The pieces of a text.
    pub fn pieces(&self, text: Text) -> &[Piece] {
        self.templates.get(text as usize).map_or(&[], |template| &template.0)
    }

    /// A text with its placeholders filled.
    pub fn fill(&self, text: Text, values: &[(Hole, &str)]) -> String {
        let given = |hole: &Hole| values.iter().find(|(known, _)| known == hole).map_or("", |(_, value)| value);
        debug_assert!(text.must().iter().chain(text.may()).all(|hole| values.iter().any(|(known, _)| known == hole)), "{text:?}");
        let shown = self.pieces(text).iter().map(|piece| match piece {
            Piece::Words(words) => words.as_str(),
            Piece::Hole(hole) => given(hole),
        });
        shown.collect()
    }

    /// The lines of a text; those that say nothing once they are filled are left out.
    pub fn lines(&self, text: Text, values: &[(Hole, &str)]) -> Vec<String> {
        self.fill(text, values).lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }

    /// A text without placeholders.
    pub fn plain(&self, text: Text) -> String {
        self.fill(text, &[])
    }

    /// Several words as one.
    pub fn join<S: AsRef<str>>(&self, words: impl IntoIterator<Item = S>, joint: Text) -> String {
        let words: Vec<S> = words.into_iter().collect();
        words.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(&self.plain(joint))
    }

    /// The name of a level.
    pub fn level(&self, level: Level) -> &str {
        self.name("level", level_id(level))
    }

    /// The name of a kind of harm.
    pub fn category(&self, category: Category) -> &str {
        self.name("category", category.id())
    }

    /// The name of a lane.
    pub fn lane(&self, lane: Lane) -> &str {
        self.name("lane", lane.id())
    }

    /// The name of a road.
    pub fn track(&self, track: Track) -> &str {
        self.name("track", track.id())
    }

    /// The name of a way in.
    pub fn channel(&self, channel: Channel) -> &str {
        self.name("channel", channel.id())
    }

    /// The name of a slot.
    pub fn role(&self, role: Role) -> &str {
        Role::ALL.iter().find(|(known, _)| *known == role).map_or("", |(_, id)| self.name("role", id))
    }

    /// The name of a place in a message, by its id.
    pub fn place(&self, id: &str) -> &str {
        self.name("place", id)
    }

    /// The name of what was not read.
    pub fn unread(&self, kind: SkippedKind) -> &str {
        self.name("unread", unread_id(kind))
    }

    fn name(&self, table: &'static str, id: &str) -> &str {
        self.names.iter().find(|((known, key), _)| *known == table && *key == id).map_or("", |(_, name)| name)
    }
}

/// Names of closed sets: table and ids.
fn names() -> [(&'static str, Vec<&'static str>); 8] {
    [
        ("level", Level::ALL.map(level_id).to_vec()),
        ("category", Category::ALL.iter().map(|one| one.id()).collect()),
        ("lane", Lane::ALL.iter().map(|one| one.id()).collect()),
        ("track", Track::ALL.map(Track::id).to_vec()),
        ("channel", Channel::ALL.map(Channel::id).to_vec()),
        ("role", Role::ALL.map(|(_, id)| id).to_vec()),
        ("place", vec!["subject", "text", "from_name", "attachment_name", "hidden", "course", "crowd", "operator", "drill"]),
        ("unread", SkippedKind::ALL.map(unread_id).to_vec()),
    ]
}

const fn level_id(level: Level) -> &'static str {
    match level {
        Level::Ordinary => "0",
        Level::Watch => "1",
        Level::Suspected => "2",
        Level::Severe => "3",
        Level::Emergency => "4",
    }
}

const fn unread_id(kind: SkippedKind) -> &'static str {
    match kind {
        SkippedKind::Image => "image",
        SkippedKind::Pdf => "pdf",
        SkippedKind::Media => "media",
        SkippedKind::Attachment => "attachment",
        SkippedKind::EncryptedArchive => "encrypted_archive",
        SkippedKind::EncryptedMail => "encrypted_mail",
        SkippedKind::Truncated => "truncated",
        SkippedKind::Charset => "charset",
        SkippedKind::Nesting => "nesting",
        SkippedKind::Damaged => "damaged",
        SkippedKind::NoText => "no_text",
    }
}
