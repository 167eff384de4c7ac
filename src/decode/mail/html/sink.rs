//! Collects rendered text: white space as a browser shows it, quotations marked at the beginning of lines.

/// Most blank lines kept in a row: layout, not text.
const BLANK_LINES_MAX: usize = 2;

/// Rendered text so far.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    out: String,
    /// White space seen since the last character.
    pending: Option<Gap>,
    /// Line breaks at the end of `out`.
    breaks: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Space,
    /// A line end of the source: no space between two wide characters, where mailers fold Japanese anywhere.
    SourceLine,
}

impl Sink {
    /// Adds characters; `quotes` marks go before each new line.
    pub fn text(&mut self, text: &str, preformatted: bool, quotes: usize) {
        for c in text.chars() {
            match c {
                '\n' if preformatted => self.line_break(),
                '\n' | '\r' => self.pending = self.pending.or(Some(Gap::SourceLine)),
                ' ' | '\t' | '\u{c}' if !preformatted => self.pending = Some(Gap::Space),
                _ => self.push(c, quotes),
            }
        }
    }

    /// A gap between two cells.
    pub fn space(&mut self) {
        self.pending = Some(Gap::Space);
    }

    /// Ends the line unless it is empty.
    pub fn end_line(&mut self) {
        if !self.at_line_start() {
            self.line_break();
        }
        self.pending = None;
    }

    /// Ends the line, empty or not.
    pub fn line_break(&mut self) {
        self.pending = None;
        if !self.out.is_empty() && self.breaks <= BLANK_LINES_MAX {
            self.out.push('\n');
            self.breaks += 1;
        }
    }

    /// The text without trailing white space.
    pub fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        self.out
    }

    fn at_line_start(&self) -> bool {
        self.out.is_empty() || self.breaks > 0
    }

    fn push(&mut self, c: char, quotes: usize) {
        if self.at_line_start() {
            self.out.push_str(&"> ".repeat(quotes));
        } else if let Some(gap) = self.pending {
            let folded = gap == Gap::SourceLine && is_wide(c) && self.out.chars().next_back().is_some_and(is_wide);
            if !folded {
                self.out.push(' ');
            }
        }
        self.pending = None;
        self.breaks = 0;
        self.out.push(c);
    }
}

/// Written without spaces between words: CJK and full-width forms.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}
