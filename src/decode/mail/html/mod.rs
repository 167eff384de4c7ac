//! HTML to the text a reader sees, and apart from it the text a reader does not see.
//!
//! A tokenizer and a bounded stack of open elements, never a tree: trees are quadratic in nesting. Nothing is fetched,
//! no script or style sheet is run. Entities are decoded once. Cost: linear in the source.

mod sink;
mod style;

use html5gum::{DefaultEmitter, EndTag, HtmlString, StartTag, Token, Tokenizer};
use sink::Sink;
use style::Look;

/// Most tokens read; beyond it the tags are cut out blindly. A 1 MiB newsletter has about 60,000.
pub(crate) const TOKENS_MAX: usize = 200_000;

/// Most open elements kept; deeper ones look like the deepest kept.
const STACK_MAX: usize = 256;

/// How far an end tag looks for its start: further ones are stray.
const CLOSE_SEARCH_MAX: usize = 64;

/// Deepest quotation shown with marks.
const QUOTE_DEPTH_MAX: usize = 8;

/// Text of an HTML part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rendered {
    /// What a reader sees; quotations marked with `>`.
    pub visible: String,
    /// What is there and not shown: hidden elements, titles, alternative texts.
    pub hidden: String,
    /// Whether [`TOKENS_MAX`] was passed.
    pub overflowed: bool,
}

/// Renders a document or fragment.
pub(crate) fn render(source: &str) -> Rendered {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    for (count, token) in Tokenizer::new_with_emitter(source, emitter).flatten().enumerate() {
        if count >= TOKENS_MAX {
            return Rendered { visible: without_tags(source), hidden: String::new(), overflowed: true };
        }
        match token {
            Token::StartTag(tag) => page.open(&tag),
            Token::EndTag(tag) => page.close(&tag),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    Rendered { visible: page.visible.finish(), hidden: page.hidden.finish(), overflowed: false }
}

/// Everything outside angle brackets; the fallback that cannot be made slow.
fn without_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut inside = false;
    for c in source.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                out.push('\n');
            }
            _ if inside => {}
            _ => out.push(c),
        }
    }
    let lines: Vec<&str> = out.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

#[derive(Debug, Default)]
struct Page {
    visible: Sink,
    hidden: Sink,
    open: Vec<Element>,
}

#[derive(Debug, Clone)]
struct Element {
    name: HtmlString,
    look: Look,
    content: Content,
    preformatted: bool,
    quotes: usize,
}

/// What the characters inside an element are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Text.
    Shown,
    /// Text nobody sees, such as a title.
    Unseen,
    /// Code.
    Code,
}

impl Page {
    fn open(&mut self, tag: &StartTag<()>) {
        let name: &[u8] = &tag.name;
        if closes_itself(name) && self.open.last().is_some_and(|top| *top.name == *name) {
            self.open.pop();
        }
        if is_block(name) {
            self.end_line();
        }
        match name {
            b"br" => self.sink().line_break(),
            b"td" | b"th" => self.sink().space(),
            _ => {}
        }
        let parent = self.open.last();
        let attribute = |key: &[u8]| tag.attributes.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
        let look = parent.map(|top| top.look).unwrap_or_default().with(attribute);
        for key in [&b"alt"[..], b"title", b"aria-label", b"placeholder"] {
            if let Some(words) = attribute(key) {
                self.hidden.end_line();
                self.hidden.text(&words, false, 0);
                self.hidden.end_line();
            }
        }
        if is_void(name) {
            if name == b"input" && look.is_seen() && attribute(b"type").is_none_or(|kind| kind != "hidden") {
                self.text(&attribute(b"value").unwrap_or_default());
            }
            return;
        }
        if self.open.len() < STACK_MAX {
            self.push(tag, look);
        }
    }

    fn push(&mut self, tag: &StartTag<()>, look: Look) {
        let name: &[u8] = &tag.name;
        let parent = self.open.last();
        let content = match name {
            b"script" | b"style" => Content::Code,
            b"title" | b"template" | b"iframe" | b"noembed" | b"noframes" => Content::Unseen,
            _ => parent.map_or(Content::Shown, |top| top.content),
        };
        let preformatted = matches!(name, b"pre" | b"textarea" | b"xmp") || parent.is_some_and(|top| top.preformatted);
        let quotes = parent.map_or(0, |top| top.quotes) + usize::from(name == b"blockquote");
        self.open.push(Element { name: tag.name.clone(), look, content, preformatted, quotes: quotes.min(QUOTE_DEPTH_MAX) });
    }

    fn close(&mut self, tag: &EndTag<()>) {
        let name: &[u8] = &tag.name;
        if is_block(name) || name == b"title" {
            self.end_line();
        }
        let found = self.open.iter().rev().take(CLOSE_SEARCH_MAX).position(|element| *element.name == *name);
        if let Some(depth) = found {
            self.open.truncate(self.open.len() - depth - 1);
        }
    }

    fn text(&mut self, text: &str) {
        let (content, preformatted, quotes) =
            self.open.last().map_or((Content::Shown, false, 0), |top| (top.content, top.preformatted, top.quotes));
        if content != Content::Code {
            self.sink().text(text, preformatted, quotes);
        }
    }

    fn sink(&mut self) -> &mut Sink {
        let seen = self.open.last().is_none_or(|top| top.content == Content::Shown && top.look.is_seen());
        if seen { &mut self.visible } else { &mut self.hidden }
    }

    fn end_line(&mut self) {
        self.visible.end_line();
        self.hidden.end_line();
    }
}

/// Elements without content or end tag.
const VOID: [&str; 14] = ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 38] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "legend",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "select",
    "table",
    "textarea",
    "tr",
    "ul",
];

fn is_void(name: &[u8]) -> bool {
    VOID.iter().any(|one| one.as_bytes() == name)
}

fn is_block(name: &[u8]) -> bool {
    BLOCKS.iter().any(|one| one.as_bytes() == name)
}

/// Elements a second start tag of the same name ends.
fn closes_itself(name: &[u8]) -> bool {
    matches!(name, b"p" | b"li" | b"td" | b"th" | b"tr" | b"dt" | b"dd" | b"option")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_lines() {
        for (source, visible, hidden) in [
            ("<p>返金<br>しろ</p><p>今すぐ</p>", "返金\nしろ\n今すぐ", ""),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb", ""),
            ("返\n金 しろ\n now", "返金 しろ now", ""),
            ("&amp;lt; &#27515;&#12397; &nbsp;x", "&lt; 死ね \u{a0}x", ""),
            ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc", ""),
            ("<pre>a\n  b</pre>c", "a\n  b\nc", ""),
            ("a<blockquote>b<br>c<blockquote>d</blockquote></blockquote>e", "a\n> b\n> c\n> > d\ne", ""),
            ("<title>件名</title><style>p{}</style><script>x</script><!-- c -->a", "a", "件名"),
            ("<img alt='死ね' src=x>a", "a", "死ね"),
            ("a<br><br><br><br><br>b", "a\n\n\nb", ""),
            ("<p>a<p>b", "a\nb", ""),
            ("<a href=x title=t>b</a", "b", "t"),
        ] {
            let rendered = render(source);
            assert_eq!((rendered.visible.as_str(), rendered.hidden.as_str()), (visible, hidden), "{source}");
        }
    }

    #[test]
    fn what_nobody_sees_is_hidden() {
        for style in [
            "display:none",
            "DISPLAY : none !important",
            "visibility:hidden",
            "font-size:0",
            "font-size:1px",
            "color:#FFFFFF",
            "color: white",
            "color:rgb(255, 255, 255)",
            "opacity:0",
            "mso-hide:all",
            "max-height:0;overflow:hidden",
            "text-indent:-9999px",
            "position:absolute;left:-9999px",
            "color:transparent",
        ] {
            let rendered = render(&format!("a<span style='{style}'>x<b>y</b></span>b"));
            assert_eq!((rendered.visible.as_str(), rendered.hidden.as_str()), ("ab", "xy"), "{style}");
        }
        for source in ["<font color='#ffffff'>x</font>", "<p hidden>x</p>", "<template>x</template>"] {
            assert_eq!(render(source).hidden, "x", "{source}");
        }
        for source in [
            "<td bgcolor='#336699'><font color=white>x</font></td>",
            "<div style='background:#000'><span style='color:#fff'>x</span></div>",
            "<div style='font-size:0'><span style='font-size:14px'>x</span></div>",
            "<p style='color:#fff'><b style='color:black'>x</b></p>",
            "<p style='font-size:12px;opacity:0.9'>x</p>",
        ] {
            assert_eq!(render(source).visible, "x", "{source}");
        }
    }

    #[test]
    fn depth_and_length_cost_no_more_than_their_size() {
        let deep = "<ul><li>".repeat(20_000) + "x";
        assert_eq!(render(&deep).visible, "x");
        let many = "<b>死</b>".repeat(TOKENS_MAX / 2);
        let rendered = render(&many);
        assert!(rendered.overflowed && rendered.visible.starts_with('死'));
    }
}
