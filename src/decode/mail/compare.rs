//! Which lines of one text do not stand in another, however both are wrapped.
//!
//! Used to keep in `hidden` only what a reader of the visible text does not know already. Cost: n log n; never line by
//! line against the whole text.

/// Characters compared at once: short enough for Japanese words, long enough that chance does not supply them.
const GRAM_CHARS: usize = 4;

/// The lines of `text` that are not in `visible`, in order, each once.
pub(crate) fn lines_missing(visible: &str, text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let known = Grams::of(visible);
    let mut seen = std::collections::BTreeSet::new();
    let mut missing: Vec<&str> = vec![];
    for line in text.lines() {
        let bare = bare(line);
        if !bare.is_empty() && !known.hold(&bare) && seen.insert(bare) {
            missing.push(line.trim());
        }
    }
    missing.join("\n")
}

/// Letters and digits of a line; marks, spaces and addresses of links differ between plain text and HTML.
fn bare(line: &str) -> Vec<char> {
    let mut out = vec![];
    let mut rest = line;
    while let Some((before, link)) = rest.split_once("http") {
        out.extend(before.chars());
        rest = link.find(|c: char| c.is_whitespace() || c == '>' || c == ')').and_then(|end| link.get(end..)).unwrap_or_default();
    }
    out.extend(rest.chars());
    out.retain(|c| c.is_alphanumeric());
    out
}

/// All runs of one to four letters of a text.
struct Grams(Vec<Vec<[char; GRAM_CHARS]>>);

impl Grams {
    fn of(text: &str) -> Self {
        let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
        let sizes = (1..=GRAM_CHARS).map(|size| {
            let mut grams: Vec<_> = letters.windows(size).map(gram).collect();
            grams.sort_unstable();
            grams.dedup();
            grams
        });
        Self(sizes.collect())
    }

    fn hold(&self, letters: &[char]) -> bool {
        let size = letters.len().min(GRAM_CHARS);
        let Some(known) = size.checked_sub(1).and_then(|at| self.0.get(at)) else { return true };
        letters.windows(size).all(|window| known.binary_search(&gram(window)).is_ok())
    }
}

fn gram(letters: &[char]) -> [char; GRAM_CHARS] {
    let mut gram = ['\0'; GRAM_CHARS];
    for (slot, letter) in gram.iter_mut().zip(letters) {
        *slot = *letter;
    }
    gram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_lines_stay() {
        for (visible, text, expected) in [
            ("返金してください。今すぐに。", "返金して\nください。\n今すぐに。", ""),
            ("こんにちは", "こんにちは\n死ね\n死ね", "死ね"),
            ("会社案内", "* 会社案内 <https://example.jp/死>", ""),
            ("", "殺す", "殺す"),
            ("a", "  \n*", ""),
        ] {
            assert_eq!(lines_missing(visible, text), expected, "{text}");
        }
    }
}
