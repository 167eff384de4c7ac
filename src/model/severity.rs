//! Levels, categories, lanes, axes: the fixed vocabulary of a verdict.
//!
//! Numbers and ids never change; a company renames levels and sets its own actions in policy.
//! Levels: what a trained supervisor would say after reading one message alone.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How grave, 0 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Level {
    /// 通常: ordinary, or a legitimate complaint however angry.
    #[default]
    Ordinary,
    /// 要注意: rude or borderline; watched, nobody is called.
    Watch,
    /// カスハラ疑い: clear harassment in a supervisor's eyes.
    Suspected,
    /// 重度の疑い: threat, extortion, sexual or discriminatory abuse, stalking.
    Severe,
    /// 緊急: concrete or imminent danger.
    Emergency,
}

impl Level {
    /// All levels, rising.
    pub const ALL: [Self; 5] = [Self::Ordinary, Self::Watch, Self::Suspected, Self::Severe, Self::Emergency];

    /// The fixed number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The default Japanese name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "通常",
            Self::Watch => "要注意",
            Self::Suspected => "カスハラ疑い",
            Self::Severe => "重度の疑い",
            Self::Emergency => "緊急",
        }
    }

    /// Level 2 and above.
    pub fn is_flagged(self) -> bool {
        self >= Self::Suspected
    }

    /// Level 3 and above.
    pub fn is_critical(self) -> bool {
        self >= Self::Severe
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.number()
    }
}

impl TryFrom<u8> for Level {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL.get(usize::from(number)).copied().ok_or_else(|| format!("level {number} is not one of 0 to 4"))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $id:literal, $ja:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $id)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The fixed id used in files, records and metrics.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// The Japanese name shown to people.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $ja),+ }
            }

            /// Reads the fixed id.
            pub fn parse(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.id() == id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.id())
            }
        }
    };
}

vocabulary! {
    /// What kind of harm. `self_harm` is here too: it is shown among categories, and is a [`Lane`] of its own.
    Category {
        /// Harm announced to life, body, family or property, also veiled.
        Threat = "threat", "脅迫・威嚇";
        /// Insult, verbal abuse, denial of personality.
        Insult = "insult", "侮辱・暴言";
        /// Shaming or publishing as leverage.
        Exposure = "exposure", "晒し・悪評の脅し";
        /// Forcing what nobody owes: 土下座, excessive or impossible demands.
        Coercion = "coercion", "強要・過大要求";
        /// Money tied to a threat.
        Extortion = "extortion", "金銭要求と脅し";
        /// Abuse for origin, sex, disability, work.
        Discrimination = "discrimination", "差別的言動";
        /// Sexual remarks to staff.
        Sexual = "sexual", "性的言動";
        /// Staff's private data, following, watching.
        Privacy = "privacy", "個人情報・つきまとい";
        /// Blocking business: visits, mass contact, sabotage.
        Obstruction = "obstruction", "業務妨害・押しかけ";
        /// The same again and again.
        Persistence = "persistence", "執拗な繰り返し";
        /// Self-harm or suicide: care, never harassment by itself.
        SelfHarm = "self_harm", "自傷・自殺のおそれ";
    }
}

vocabulary! {
    /// What is not harassment and needs its own road. Life comes before everything.
    Lane {
        /// 希死念慮・自傷.
        SelfHarm = "self_harm", "命にかかわる相談";
        /// 製品事故・健康被害.
        SafetyIncident = "safety_incident", "製品事故・健康被害";
        /// 法的手段・行政相談の予告: a right, not a threat.
        RightsAssertion = "rights_assertion", "法的手段・行政相談";
        /// The writer reports what somebody else did.
        ThirdPartyReport = "third_party_report", "第三者被害の報告";
        /// 合理的配慮の求め.
        Accommodation = "accommodation", "合理的配慮の申出";
        /// Our own side was abusive.
        StaffMisconduct = "staff_misconduct", "自社側の不適切対応の申告";
        /// Mass scam or extortion mail.
        ScamSpam = "scam_spam", "詐欺・迷惑メール";
        /// Delivery reports, auto-replies, lists, our own alerts.
        Machine = "machine", "自動送信メール";
    }
}

vocabulary! {
    /// The two axes. Either alone can reach the top: politeness does not lower demand, a just cause does not lower manner.
    Axis {
        /// How unreasonable is what they want (要求内容の妥当性).
        Demand = "demand", "要求内容";
        /// How abusive is how they say it (手段・態様の相当性).
        Manner = "manner", "手段・態様";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        for category in Category::ALL {
            assert_eq!(Category::parse(category.id()), Some(*category));
            assert_eq!(serde_json::to_value(category).ok(), Some(category.id().into()));
        }
        for level in Level::ALL {
            assert_eq!(Level::try_from(level.number()), Ok(level));
        }
        assert!(Level::try_from(5).is_err());
    }
}
