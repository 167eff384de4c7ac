//! What other systems can be told of: a closed set of types, each with the name that never changes.

/// Types of events. Fields of a type may be added, never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A message must reach a person: level 2 or more, or urgent.
    VerdictFlagged,
    /// A case was opened.
    CaseOpened,
    /// A case became graver, or an operator asked for help in it.
    CaseRaised,
    /// A named person took a case.
    CaseAcked,
    /// A case is open again: passed on, or nobody worked on it.
    CaseHandedOver,
    /// A named person judged a case.
    CaseJudged,
    /// A named person closed a case.
    CaseClosed,
    /// Our side cautioned a customer, or refused further contact.
    NoticeRecorded,
}

impl EventKind {
    /// Every type.
    pub const ALL: [Self; 8] = [
        Self::VerdictFlagged,
        Self::CaseOpened,
        Self::CaseRaised,
        Self::CaseAcked,
        Self::CaseHandedOver,
        Self::CaseJudged,
        Self::CaseClosed,
        Self::NoticeRecorded,
    ];

    /// The name used in bodies, subjects and the configuration.
    pub const fn id(self) -> &'static str {
        match self {
            Self::VerdictFlagged => "verdict.flagged",
            Self::CaseOpened => "case.opened",
            Self::CaseRaised => "case.raised",
            Self::CaseAcked => "case.acked",
            Self::CaseHandedOver => "case.handed_over",
            Self::CaseJudged => "case.judged",
            Self::CaseClosed => "case.closed",
            Self::NoticeRecorded => "notice.recorded",
        }
    }
}
