//! Placeholders of texts: a closed set, so that a text can only ask for what its place may show.

macro_rules! holes {
    ($($(#[$doc:meta])* $variant:ident = $id:literal;)+) => {
        /// A placeholder, written `{id}`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Hole { $($(#[$doc])* $variant,)+ }

        impl Hole {
            /// Every placeholder.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What stands between the braces.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// Reads what stands between the braces.
            pub fn parse(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|hole| hole.id() == id)
            }
        }
    };
}

holes! {
    /// Number of the case.
    Case = "case";
    /// Number of the level.
    Level = "level";
    /// Its name.
    LevelName = "level_name";
    /// Kinds of harm.
    Kind = "kind";
    /// Which slots are known.
    Known = "known";
    /// How the customer reached us.
    Channel = "channel";
    /// Why this alert leaves now; also says that it is a drill.
    Step = "step";
    /// Until when it must be accepted.
    Deadline = "deadline";
    /// A number of messages, cases, entries.
    Count = "count";
    /// A name that the company or a text of this file gives.
    Name = "name";
    /// A time.
    At = "at";
    /// Lists with their lengths.
    Counts = "counts";
    /// Who has a case.
    Holder = "holder";
    /// Replies are held.
    Hold = "hold";
    /// What a slot stands for.
    Role = "role";
    /// The customer's words in a slot; a line of guidance.
    Words = "words";
    /// All slots.
    Slots = "slots";
    /// Time that is left.
    Left = "left";
    /// Days.
    Days = "days";
    /// Hours.
    Hours = "hours";
    /// Minutes.
    Minutes = "minutes";
    /// Where in a message.
    Place = "place";
    /// The customer's words around a hit, masked.
    Excerpt = "excerpt";
    /// Why something could not be judged.
    Code = "code";
    /// Details of what was not read.
    Detail = "detail";
    /// Lexicon entries.
    Entries = "entries";
    /// Types or articles.
    List = "list";
    /// Receipt of the first message.
    First = "first";
    /// Receipt of the newest message.
    Last = "last";
    /// Messages by level.
    Levels = "levels";
    /// Since when.
    Since = "since";
    /// People and teams.
    Names = "names";
    /// Key of a person.
    Person = "person";
    /// The page of the case.
    Link = "link";
    /// Ticket number.
    Ticket = "ticket";
    /// Block: this is a drill.
    Drill = "drill";
    /// Block: the point.
    Point = "point";
    /// Block: why.
    Reasons = "reasons";
    /// Block: the customer's own words, care only.
    OwnWords = "own_words";
    /// Block: what was not read.
    Unread = "unread";
    /// Block: the history.
    History = "history";
    /// Block: what to do now.
    Now = "now";
    /// Block: guidance for this kind of act.
    Guide = "guide";
    /// Block: help desks.
    Desks = "desks";
    /// Block: what happens next.
    Next = "next";
    /// Block: how to take the case.
    Take = "take";
    /// Year.
    Year = "year";
    /// Month.
    Month = "month";
    /// Day.
    Day = "day";
    /// Month, two digits.
    Mm = "mm";
    /// Day, two digits.
    Dd = "dd";
    /// Hour, two digits.
    Hour = "hour";
    /// Minute, two digits.
    Minute = "minute";
}

impl Hole {
    /// Whether it brings words of the customer, masked or not.
    pub const fn holds_customer_words(self) -> bool {
        matches!(self, Self::Words | Self::Slots | Self::Excerpt | Self::OwnWords | Self::Reasons | Self::Point)
    }
}
