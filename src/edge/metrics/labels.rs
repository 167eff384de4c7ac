//! Label values: closed sets, so that the number of series is known before the first message.
//!
//! Never a label: an address, a subject, an id, a rule, anything a customer can choose.

use crate::model::envelope::Source;
use crate::model::severity::{Category, Lane, Level};

/// A label whose values are known beforehand.
pub trait Label: Copy + PartialEq + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value.
    const ALL: &'static [Self];
    /// The value as written in the metric.
    fn id(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident as $label:literal { $($(#[$vdoc:meta])* $variant:ident = $id:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }
        }
    };
}

label! {
    /// What the auditor found missing and put right.
    Finding as "kind" {
        /// An accepted message has neither verdict nor dead letter.
        Verdict = "verdict";
        /// A message that must reach a person is in no case.
        Case = "case";
    }
}

label! {
    /// What became of a changed policy.
    PolicyReload as "outcome" {
        /// It is in force.
        Applied = "applied";
        /// It has faults; the old one stays.
        Refused = "refused";
    }
}

label! {
    /// Why intake refused something.
    Refusal as "reason" {
        /// Not a message: malformed, missing fields, unknown values.
        Invalid = "invalid";
        /// Beyond the size limit.
        TooLarge = "too_large";
        /// No or wrong token.
        Unauthorized = "unauthorized";
        /// A body of a kind that is not taken.
        Unsupported = "unsupported";
        /// The body came too slowly.
        Slow = "slow";
        /// The queue is full.
        Full = "full";
        /// The store did not answer.
        Unavailable = "unavailable";
    }
}

label! {
    /// Why a message became a dead letter.
    DeadCode as "code" {
        /// It could not be decoded.
        Undecodable = "undecodable";
        /// Judging panicked.
        Panic = "panic";
        /// Workers died with it in their hands.
        Crash = "crash";
        /// The attempts ran out.
        Attempts = "attempts";
    }
}

label! {
    /// What the JetStream backend went through.
    BackendEvent as "event" {
        /// A connection was made.
        Connected = "connected";
        /// The connection was lost.
        Disconnected = "disconnected";
        /// The server is about to stop.
        LameDuck = "lame_duck";
        /// Messages were dropped because this process is too slow.
        SlowConsumer = "slow_consumer";
        /// The server complained.
        ServerError = "server_error";
        /// The client complained.
        ClientError = "client_error";
        /// A pull request ended with an error.
        PullError = "pull_error";
        /// The pull was made anew.
        Rebuilt = "rebuilt";
        /// The deleted consumer was made again.
        ConsumerMade = "consumer_made";
        /// A stream or bucket is gone.
        Lost = "lost";
        /// A final acknowledgement found no consumer.
        AckLost = "ack_lost";
    }
}

label! {
    /// Which kind of alert.
    Track as "track" {
        /// Suspected harassment.
        Harassment = "harassment";
        /// A life may be at risk.
        Care = "care";
        /// Product accident with injury.
        Safety = "safety";
        /// Asked for by an operator, past the supervisor.
        Consult = "consult";
        /// Could not be checked.
        Unchecked = "unchecked";
    }
}

label! {
    /// The way an alert left.
    AlertChannel as "channel" {
        /// A file in a folder.
        Outbox = "outbox";
        /// Mail.
        Smtp = "smtp";
        /// Signed webhook, Slack, Teams.
        Webhook = "webhook";
        /// A NATS subject.
        Nats = "nats";
    }
}

label! {
    /// How an attempt to send ended.
    AlertOutcome as "outcome" {
        /// Accepted by the next hop.
        Sent = "sent";
        /// To be repeated.
        Transient = "transient";
        /// This recipient cannot be reached.
        Recipient = "recipient";
        /// The whole channel is broken.
        Channel = "channel";
    }
}

label! {
    /// How an attempt to hand over an event ended.
    EventOutcome as "outcome" {
        /// The other system has it.
        Accepted = "accepted";
        /// To be repeated.
        Later = "later";
        /// The other system does not want it like this; repeated slowly.
        Refused = "refused";
        /// The other system wants no more events (410).
        Gone = "gone";
    }
}

impl Label for Source {
    const NAME: &'static str = "source";
    const ALL: &'static [Self] = &[Self::Http, Self::Submit, Self::Spool, Self::Demo, Self::Replay, Self::Nats];
    fn id(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Submit => "submit",
            Self::Spool => "spool",
            Self::Demo => "demo",
            Self::Replay => "replay",
            Self::Nats => "nats",
        }
    }
}

impl Label for Level {
    const NAME: &'static str = "level";
    const ALL: &'static [Self] = &Level::ALL;
    fn id(self) -> &'static str {
        ["0", "1", "2", "3", "4"][usize::from(self.number())]
    }
}

impl Label for Category {
    const NAME: &'static str = "category";
    const ALL: &'static [Self] = Category::ALL;
    fn id(self) -> &'static str {
        Category::id(self)
    }
}

impl Label for Lane {
    const NAME: &'static str = "lane";
    const ALL: &'static [Self] = Lane::ALL;
    fn id(self) -> &'static str {
        Lane::id(self)
    }
}
