//! Word classes and moods: what a form does, so that 殺せ and 殺された are different evidence.

/// Conjugation class of a lemma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 五段: 殺す, 死ぬ, 行く.
    Godan,
    /// 一段: 消える, 辞める.
    Ichidan,
    /// サ変: 土下座する, or the bare noun 土下座.
    Suru,
    /// カ変: 来る.
    Kuru,
    /// 形容詞 in い: うざい.
    Adjective,
    /// Not inflected.
    Noun,
}

impl Class {
    /// Every class with its id.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Godan, "godan"),
        (Self::Ichidan, "ichidan"),
        (Self::Suru, "suru"),
        (Self::Kuru, "kuru"),
        (Self::Adjective, "adjective"),
        (Self::Noun, "noun"),
    ];

    /// The id used in lexicons.
    pub fn id(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == id).map(|(class, _)| *class)
    }
}

/// What an inflected form does. Examples with 殺す, 死ぬ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mood {
    /// 殺す.
    Plain,
    /// 殺せ, 死ね.
    Imperative,
    /// 死んで(くれ, ほしい, もらう), 死んどけ.
    TeRequest,
    /// 殺そう.
    Volitional,
    /// 殺してやる, 殺したる, 殺したろか, 殺しちゃう.
    TeYaru,
    /// 殺すな.
    Prohibitive,
    /// 殺したい, 死にたい.
    Desiderative,
    /// 殺さない, 殺さん.
    Negative,
    /// 殺される, 殺された.
    Passive,
    /// 殺されたい(か).
    PassiveDesire,
    /// 殺した.
    Past,
    /// 殺せば, 殺したら, 死ねば.
    Conditional,
    /// 殺せる.
    Potential,
    /// 殺している, 殺してる.
    Progressive,
    /// 死なせる, 死なす.
    Causative,
    /// 死にやがれ, 死にさらせ, 死にくされ.
    Contempt,
    /// 殺します.
    Polite,
}

impl Mood {
    /// Every mood with its id.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::Plain, "plain"),
        (Self::Imperative, "imperative"),
        (Self::TeRequest, "te_request"),
        (Self::Volitional, "volitional"),
        (Self::TeYaru, "te_yaru"),
        (Self::Prohibitive, "prohibitive"),
        (Self::Desiderative, "desiderative"),
        (Self::Negative, "negative"),
        (Self::Passive, "passive"),
        (Self::PassiveDesire, "passive_desire"),
        (Self::Past, "past"),
        (Self::Conditional, "conditional"),
        (Self::Potential, "potential"),
        (Self::Progressive, "progressive"),
        (Self::Causative, "causative"),
        (Self::Contempt, "contempt"),
        (Self::Polite, "polite"),
    ];

    /// The moods that fire when an entry names none.
    pub const AGGRESSIVE: [Self; 8] =
        [Self::Plain, Self::Imperative, Self::TeRequest, Self::Volitional, Self::TeYaru, Self::PassiveDesire, Self::Contempt, Self::Polite];

    /// The id used in lexicons.
    pub fn id(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == id).map(|(mood, _)| *mood)
    }
}
