//! What is kept instead of text: what a message is about, how it is worded, and whom it addresses.
//!
//! Fingerprints are taken after the fold, so that width and kana do not matter. They are short on purpose: enough to tell
//! that two messages of one conversation are about the same, too little to read anything out of. Linear in the text.

use crate::engine::text::{Script, fold, script};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Most subjects of one message: what a long mail is about is said in its first words.
pub const SUBJECTS_MAX: usize = 24;

/// Bits in which the wording of two near-duplicates may differ: small edits of a sentence move about eight.
pub const NEAR_BITS_MAX: u32 = 10;

/// Shortest text whose wording is compared, in folded characters: shorter ones resemble each other by chance.
pub const WORDING_CHARS_MIN: usize = 8;

/// How far from its beginning a message may name whom it addresses, in characters.
const ADDRESSEE_CHARS_MAX: usize = 16;

/// Endings of an address.
const ADDRESSES: [&str; 5] = ["様", "御中", "殿", "さま", "各位"];

/// Pairs of kanji that stand in any message of a contact center and are no subject.
const COMMON: &str = "連絡 返事 返信 回答 対応 担当 本日 時間 電話 確認 質問 質門 相談 説明 今日 明日 昨日 今回 先日 先程 最初 最後 一度 何度 何回 \
    本当 場合 必要 可能 方法 内容 理由 結果 状況 問題 件名 御社 貴社 弊社 会社 店長 窓口 自分 自身 相手 全部 全員 大丈 丈夫 無理 結構 \
    残念 失礼 宜敷 御願 皆様 名前 二度 三度 一回 二回 三回 時点 以上 以下 予定 午前 午後 毎日 今週 来週 先週 月曜 火曜 水曜 木曜 金曜 土曜 日曜 曜日 \
    注文 商品 購入 利用 使用 当方 普通 意味 言葉 文章 送信 受信 責任 任者 早急 至急 是非 丁寧 親切 感謝 迷惑 申訳";

/// Fingerprints of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    /// What it is about: sorted, each once.
    #[serde(rename = "s", default, skip_serializing_if = "Subjects::is_empty")]
    pub subjects: Subjects,
    /// How it is worded: near-duplicates differ in few bits. Zero for short texts.
    #[serde(rename = "w", default)]
    pub wording: u64,
    /// Whom it addresses, zero if nobody.
    #[serde(rename = "a", default)]
    pub addressee: u32,
    /// Folded characters.
    #[serde(rename = "n", default)]
    pub length: u32,
}

/// What a message is about, stored as base64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subjects(pub Vec<u32>);

impl Subjects {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Subjects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|one| one.to_be_bytes()).collect();
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl<'de> Deserialize<'de> for Subjects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.chunks_exact(4).filter_map(|four| four.try_into().ok().map(u32::from_be_bytes)).collect()))
    }
}

impl Fingerprint {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let folded = fold(text);
        let plain: Vec<char> = folded.cells().iter().map(|cell| cell.plain).collect();
        let letters: Vec<char> = folded.cells().iter().map(|cell| cell.loose).filter(|c| is_letter(*c)).collect();
        Self {
            subjects: Subjects(subjects(&plain)),
            wording: wording(&letters),
            addressee: addressee(text),
            length: u32::try_from(letters.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether both are about the same.
    pub fn shares_subject(&self, other: &Self) -> bool {
        self.subjects.0.iter().any(|one| other.subjects.0.binary_search(one).is_ok())
    }

    /// Whether both are worded nearly the same.
    pub fn is_near(&self, other: &Self) -> bool {
        self.wording != 0 && other.wording != 0 && (self.wording ^ other.wording).count_ones() <= NEAR_BITS_MAX
    }
}

/// Pairs of neighbouring kanji, and whole words in katakana or Latin letters.
fn subjects(plain: &[char]) -> Vec<u32> {
    let mut found = vec![];
    for run in plain.chunk_by(|a, b| script(*a) == script(*b)) {
        let Some(first) = run.first() else { continue };
        match script(*first) {
            Script::Kanji => found.extend(run.windows(2).filter(|pair| !is_common(pair)).map(hash)),
            Script::Katakana | Script::Latin if run.len() >= 2 => found.push(hash(run)),
            _ => {}
        }
    }
    found.truncate(SUBJECTS_MAX);
    found.sort_unstable();
    found.dedup();
    found
}

fn is_letter(c: char) -> bool {
    !matches!(script(c), Script::Mark | Script::Space | Script::Emoji)
}

fn is_common(pair: &[char]) -> bool {
    static PAIRS: LazyLock<HashSet<Vec<char>>> = LazyLock::new(|| COMMON.split_whitespace().map(|word| word.chars().collect()).collect());
    PAIRS.contains(pair)
}

/// Each bit is the majority of that bit over the hashes of all three-character stretches.
fn wording(letters: &[char]) -> u64 {
    if letters.len() < WORDING_CHARS_MIN {
        return 0;
    }
    let mut votes = [0i32; 64];
    for stretch in letters.windows(3) {
        let hash = wide_hash(stretch);
        for (bit, vote) in votes.iter_mut().enumerate() {
            *vote += if hash >> bit & 1 == 1 { 1 } else { -1 };
        }
    }
    votes.iter().enumerate().filter(|(_, vote)| **vote > 0).fold(0, |word, (bit, _)| word | 1 << bit)
}

fn addressee(text: &str) -> u32 {
    let line: Vec<char> = text.trim_start().chars().take_while(|c| *c != '\n').take(ADDRESSEE_CHARS_MAX).collect();
    let head: String = line.iter().collect();
    let end = ADDRESSES.iter().filter_map(|ending| head.find(ending)).min();
    let name: Vec<char> = end.and_then(|end| head.get(..end)).unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    if name.len() < 2 || name.iter().any(|c| "、。,!?!?「".contains(*c)) { 0 } else { hash(&name).max(1) }
}

fn hash(chars: &[char]) -> u32 {
    let wide = wide_hash(chars);
    u32::try_from(wide >> 32).unwrap_or_default()
}

/// FNV-1a over code points with a final mix, the same on every machine.
fn wide_hash(chars: &[char]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for c in chars {
        for byte in u32::from(*c).to_be_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_is_recognised_in_other_words() {
        let same = [
            ("靴の返品の送料って、お店持ちにしてもらえますか?", "で、送料は?"),
            ("庁舎前の花壇の配置図を公開してください。", "花壇の件です。"),
            ("クーポンをもう一度使わせて", "クーポンはまだ?"),
        ];
        for (a, b) in same {
            assert!(Fingerprint::of(a).shares_subject(&Fingerprint::of(b)), "{a} / {b}");
        }
        let other = [("返信をください", "返信が来ません"), ("送料は?", "花壇の件です")];
        for (a, b) in other {
            assert!(!Fingerprint::of(a).shares_subject(&Fingerprint::of(b)), "{a} / {b}");
        }
    }

    #[test]
    fn small_edits_stay_near_and_other_texts_do_not() {
        let first = Fingerprint::of("返金の手続きがいつ終わるのか、今日中にはっきりした日付で答えてください。");
        let edited = Fingerprint::of("返金の手続きがいつ終わるのか、今日中にはっきりした日付で教えてください。");
        let other = Fingerprint::of("引っ越しの予定が変わったので、工事の日を来月に移していただけますか。");
        assert!(first.is_near(&edited));
        assert!(!first.is_near(&other));
    }

    #[test]
    fn addressees_are_told_apart() {
        let (one, two) = (Fingerprint::of("広報課様 花壇の件です"), Fingerprint::of("総務課様 花壇の件です"));
        assert!(one.addressee != 0 && one.addressee != two.addressee);
        assert_eq!(Fingerprint::of("花壇の件です").addressee, 0);
    }
}
