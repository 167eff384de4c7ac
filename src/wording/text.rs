//! The list of texts: key in the file, form, placeholders. The one place that says what may stand where.

use crate::wording::hole::Hole;

/// How long a text may be, and whether it may have lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A subject: stands on lock screens, leaves the company.
    Subject,
    /// One line.
    Line,
    /// A part of a line; may be empty.
    Piece,
    /// A name or title.
    Name,
    /// Several lines.
    Lines,
    /// The order of blocks, with lines between them.
    Body,
}

impl Form {
    /// Most characters, placeholders counted as written: a subject is cut off behind that by mail programs and phones, a line is
    /// read at a glance, a block on one screen.
    pub const fn chars_max(self) -> usize {
        match self {
            Self::Subject => 120,
            Self::Line => 200,
            Self::Piece | Self::Name => 60,
            Self::Lines | Self::Body => 1_000,
        }
    }

    /// Whether line breaks may stand in it.
    pub const fn has_lines(self) -> bool {
        matches!(self, Self::Lines | Self::Body)
    }

    /// Whether it may say nothing.
    pub const fn may_be_empty(self) -> bool {
        matches!(self, Self::Piece)
    }
}

macro_rules! texts {
    ($($table:literal { $($variant:ident $key:literal $form:ident [$($must:ident)*] [$($may:ident)*];)+ })+) => {
        /// A text of alerts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // the key says it
        pub enum Text { $($($variant,)+)+ }

        impl Text {
            /// Every text, in the order of the shipped file.
            pub const ALL: &'static [Self] = &[$($(Self::$variant),+),+];

            /// Its table in the file.
            pub const fn table(self) -> &'static str {
                match self { $($(Self::$variant)|+ => $table),+ }
            }

            /// Its key in that table.
            pub const fn key(self) -> &'static str {
                match self { $($(Self::$variant => $key),+),+ }
            }

            /// Its form.
            pub const fn form(self) -> Form {
                match self { $($(Self::$variant => Form::$form),+),+ }
            }

            /// Placeholders that must stand in it.
            pub const fn must(self) -> &'static [Hole] {
                match self { $($(Self::$variant => &[$(Hole::$must),*]),+),+ }
            }

            /// Placeholders that may stand in it beside those.
            pub const fn may(self) -> &'static [Hole] {
                match self { $($(Self::$variant => &[$(Hole::$may),*]),+),+ }
            }
        }
    };
}

texts! {
    "subject" {
        SubjectHarassment "harassment" Subject [Level Step Case Deadline] [LevelName Kind Known Channel];
        SubjectCare "care" Subject [Step Case Deadline] [Channel];
        SubjectSafety "safety" Subject [Step Case Deadline] [Channel];
        SubjectConsult "consult" Subject [Step Case Deadline] [];
        SubjectUnchecked "unchecked" Subject [Step Case Deadline] [Count];
        SubjectCheck "check" Subject [Case] [];
        SubjectDigest "digest" Subject [Name At] [Counts];
        SubjectBundle "bundle" Subject [Name Count Deadline] [];
        SubjectStopped "stopped" Subject [Since Count] [];
        SubjectStoppedOver "stopped_over" Subject [Since At] [];
        SubjectChannel "channel" Subject [Name Since] [];
        SubjectChannelOver "channel_over" Subject [Name At] [];
        SubjectLost "lost" Subject [Count] [];
        SubjectLostOver "lost_over" Subject [At] [];
    }
    "step" {
        StepDrill "drill" Name [] [];
        StepRaised "raised" Name [] [];
        StepGrown "grown" Piece [] [];
        StepRepeat "repeat" Piece [] [];
        StepNext "next" Piece [] [];
        StepReturned "returned" Piece [] [];
    }
    "known" {
        KnownAll "all" Piece [] [Known];
        KnownWhen "when" Name [] [];
        KnownWhere "where" Name [] [];
        KnownMeans "means" Name [] [];
        KnownDemand "demand" Name [] [];
    }
    "joint" {
        JointDot "dot" Piece [] [];
        JointSlash "slash" Piece [] [];
        JointComma "comma" Piece [] [];
    }
    "body" {
        BodyAlert "alert" Body [Drill Point OwnWords Now Take] [Reasons Unread History Guide Desks Next];
        BodyOffsite "offsite" Body [Take] [];
    }
    "heading" {
        HeadingDeadline "deadline" Line [Deadline] [];
        HeadingDrill "drill" Name [] [];
        HeadingPoint "point" Name [] [];
        HeadingReasons "reasons" Name [] [];
        HeadingOwnWords "own_words" Name [] [];
        HeadingUnread "unread" Name [] [];
        HeadingHistory "history" Name [] [];
        HeadingNow "now" Name [] [];
        HeadingGuide "guide" Name [] [];
        HeadingDesks "desks" Name [] [];
        HeadingNext "next" Name [] [];
        HeadingTake "take" Name [] [];
    }
    "badge" {
        BadgeHarassment "harassment" Name [Level] [LevelName];
        BadgeCare "care" Name [] [];
        BadgeSafety "safety" Name [] [];
        BadgeConsult "consult" Name [] [];
        BadgeUnchecked "unchecked" Name [] [];
    }
    "point" {
        PointHarassment "harassment" Lines [Level Kind Slots] [LevelName];
        PointAsked "asked" Lines [Level] [LevelName Kind];
        PointCare "care" Lines [] [];
        PointSafety "safety" Lines [] [];
        PointConsult "consult" Lines [] [];
        PointUnchecked "unchecked" Lines [Count] [];
        PointCheck "check" Lines [] [];
        PointDrill "drill" Lines [] [];
        Slot "slot" Line [Role Words] [Left];
        LeftDays "left_days" Piece [Days Hours] [];
        LeftHours "left_hours" Piece [Hours Minutes] [];
        LeftMinutes "left_minutes" Piece [Minutes] [];
    }
    "reason" {
        ReasonLine "line" Line [Kind] [Place Excerpt];
        ReasonPlace "place" Piece [] [Place];
        ReasonExcerpt "excerpt" Piece [] [Excerpt];
        ReasonClue "clue" Name [] [];
        ReasonUnchecked "unchecked" Line [Code Count] [];
        ReasonUnread "unread" Line [Name] [Detail];
        ReasonEntries "entries" Line [] [Entries];
        ReasonMore "more" Piece [] [Count];
    }
    "guide" {
        GuideLine "line" Line [Words] [];
        GuideMhlw "mhlw" Line [List] [];
        GuideTokyo "tokyo" Line [List] [];
        GuideArticles "articles" Line [List] [];
        GuideCaution "caution" Line [] [];
    }
    "history" {
        HistorySpan "span" Line [] [First Last];
        HistoryMessages "messages" Line [Count] [];
        HistoryFlagged "flagged" Line [Count] [Levels];
        HistoryLevel "level" Piece [Level Count] [];
        HistoryAgain "again" Line [] [Count];
        HistoryHold "hold" Line [] [Since];
        HistoryCare "care" Line [] [];
    }
    "next" {
        NextAgain "again" Line [Deadline] [];
        NextForever "forever" Line [Deadline] [];
        NextOthers "others" Line [Deadline Names] [];
        NextMissing "missing" Line [Names] [];
    }
    "take" {
        TakePage "page" Name [] [];
        TakeLink "link" Name [] [];
        TakeUrl "url" Line [Link] [];
        TakeReply "reply" Line [] [];
        TakeNamed "named" Line [Case] [];
        TakeShared "shared" Line [Case Person] [];
        TakePass "pass" Line [Case Person] [];
        TakeShow "show" Line [Case] [];
        TakeTicket "ticket" Line [Ticket] [];
    }
    "format" {
        FormatDate "date" Name [Hour Minute] [Year Month Day Mm Dd];
        FormatShort "short" Name [Hour Minute] [Year Month Day Mm Dd];
        FormatClock "clock" Name [Hour Minute] [Year Month Day Mm Dd];
    }
    "digest" {
        DigestNothing "nothing" Name [] [];
        DigestCount "count" Name [Name Count] [];
        DigestMore "more" Line [Count] [];
        DigestOpen "open" Name [] [];
        DigestTaken "taken" Name [] [];
        DigestObserved "observed" Name [] [];
        DigestListed "listed" Name [] [];
        DigestLine "line" Line [Case Name] [Count At Holder Hold];
        DigestHarassment "harassment" Name [Level Kind] [];
        DigestHold "hold" Piece [] [];
    }
    "bundle" {
        BundleBadge "badge" Name [] [];
        BundleTitle "title" Name [] [];
        BundleCase "case" Line [Case Level Kind] [LevelName Known];
        BundleUnchecked "unchecked" Line [Case Count] [];
        BundleLine "line" Line [Name Deadline] [];
        BundleFirst "first" Name [Deadline] [];
        BundleWhy "why" Line [] [Minutes Count];
        BundleTake "take" Lines [] [];
    }
    "alarm" {
        AlarmBadge "badge" Name [] [];
        AlarmUnknown "unknown" Name [] [];
        AlarmLegJudging "leg_judging" Name [] [];
        AlarmLegMail "leg_mail" Name [] [];
        AlarmLegProcess "leg_process" Name [] [];
        AlarmStopped "stopped" Lines [Since Count] [Detail];
        AlarmStoppedOver "stopped_over" Lines [Since At] [Count];
        AlarmChannel "channel" Lines [Name Since] [Detail];
        AlarmChannelOver "channel_over" Lines [Name At] [Since];
        AlarmLost "lost" Lines [Count] [Detail];
        AlarmLostOver "lost_over" Lines [At] [];
    }
}
