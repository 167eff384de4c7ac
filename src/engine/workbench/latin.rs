//! Kana in Latin letters as the mutation generator types them: romaji, initials, keys of a Japanese keyboard, styled letters.

use crate::engine::workbench::Dice;
use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization;

/// Rows of kana with their consonant; `.` stands where there is none.
const ROWS: &[(&str, &str)] = &[
    ("", "あいうえお"),
    ("k", "かきくけこ"),
    ("g", "がぎぐげご"),
    ("s", "さしすせそ"),
    ("z", "ざじずぜぞ"),
    ("t", "たちつてと"),
    ("d", "だぢづでど"),
    ("n", "なにぬねの"),
    ("h", "はひふへほ"),
    ("b", "ばびぶべぼ"),
    ("p", "ぱぴぷぺぽ"),
    ("m", "まみむめも"),
    ("y", "や.ゆ.よ"),
    ("r", "らりるれろ"),
    ("w", "わ...を"),
];

/// Where Hepburn differs from the rows.
const HEPBURN: &[(&str, &str)] = &[
    ("sya", "sha"),
    ("syu", "shu"),
    ("syo", "sho"),
    ("tya", "cha"),
    ("tyu", "chu"),
    ("tyo", "cho"),
    ("zya", "ja"),
    ("zyu", "ju"),
    ("zyo", "jo"),
    ("si", "shi"),
    ("ti", "chi"),
    ("tu", "tsu"),
    ("zi", "ji"),
    ("hu", "fu"),
];

/// `kana` (hiragana) in Latin letters, Hepburn or Kunrei; `None` if one has no spelling.
pub fn romanise(kana: &str, hepburn: bool) -> Option<String> {
    let mut out = String::new();
    let mut doubled = false;
    let mut letters = kana.chars().peekable();
    while let Some(c) = letters.next() {
        if c == 'っ' {
            doubled = true;
            continue;
        }
        let small = letters.peek().and_then(|next| "ゃ.ゅ.ょ".chars().position(|small| small == *next));
        let mut syllable = if c == 'ん' { "n".to_owned() } else { syllable(c)? };
        if let Some(vowel) = small.filter(|_| syllable.ends_with('i') && syllable.len() > 1) {
            syllable.pop();
            let _: Option<char> = letters.next();
            write!(syllable, "y{}", "a.u.o".chars().nth(vowel)?).ok()?;
        }
        if hepburn {
            syllable = HEPBURN.iter().find(|(kunrei, _)| *kunrei == syllable).map_or(syllable, |(_, hepburn)| (*hepburn).to_owned());
        }
        if std::mem::take(&mut doubled) {
            out.extend(syllable.chars().next());
        }
        out.push_str(&syllable);
    }
    (!doubled && !out.is_empty()).then_some(out)
}

fn syllable(c: char) -> Option<String> {
    let (consonant, row) = ROWS.iter().find(|(_, row)| c != '.' && row.contains(c))?;
    let vowel = "aiueo".chars().nth(row.chars().position(|kana| kana == c)?)?;
    Some(format!("{consonant}{vowel}"))
}

/// The first consonants: くず is kz. `None` if a kana has none, or the two are a unit or word of their own.
pub fn initials(kana: &str) -> Option<String> {
    /// Units and words of two letters that nobody reads as an abuse.
    const WORDS: &[&str] = &["kg", "gb", "mb", "kb", "mm", "km", "tb", "ng", "tv", "gm", "pm", "db", "nm", "ms", "hp", "bb", "rt", "dm"];
    let mut out = String::new();
    for c in kana.chars() {
        let first = syllable(c)?.chars().next().filter(|first| !"aiueo".contains(*first))?;
        out.push(first);
    }
    (!WORDS.contains(&out.as_str())).then_some(out)
}

/// The keys of a Japanese keyboard that carry the kana; voiced kana take two. `None` if no letter is among them.
pub fn keyboard(kana: &str) -> Option<String> {
    const KANA: &str = "ぬふあうえおやゆよわほへたていすかんなにらせちとしはきくまのりれけむつさそひこみもねるめろ";
    const KEYS: &str = "1234567890-^qwertyuiop@[asdfghjkl;:]zxcvbnm,./\\";
    // The layout has ゛ on @ and ゜ on [, which carry no kana of their own.
    let place = |c: char| {
        let letters: Vec<char> = KANA.chars().collect();
        let keys: Vec<char> = KEYS.chars().filter(|key| !matches!(key, '@' | '[')).collect();
        keys.get(letters.iter().position(|kana| *kana == c)?).copied()
    };
    let mut out = String::new();
    for c in kana.nfd() {
        out.push(match c {
            '\u{3099}' => '@',
            '\u{309A}' => '[',
            other => place(other)?,
        });
    }
    Some(out).filter(|keys| keys.contains(|key: char| key.is_ascii_alphabetic()))
}

/// Latin letters in frames, circles, small capitals, flags or mathematical type.
pub fn styled(latin: &str, dice: &mut Dice) -> Option<String> {
    const SMALL_CAPITALS: &str = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡxʏᴢ";
    const STARTS: [u32; 6] = [0x1F170, 0x1F150, 0x1F1E6, 0x1F130, 0x1D41A, 0x24D0];
    let choice = dice.below(STARTS.len() + 1);
    let letter = |c: char| {
        let place = u32::from(c).checked_sub(u32::from('a')).filter(|place| *place < 26)?;
        match STARTS.get(choice) {
            Some(start) => char::from_u32(start + place),
            None => SMALL_CAPITALS.chars().nth(usize::try_from(place).ok()?),
        }
    };
    latin.chars().map(letter).collect()
}
