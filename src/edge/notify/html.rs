//! The HTML side of an alert: readable on a phone, nothing fetched from anywhere.

use crate::edge::notify::render::Block;
use crate::model::markup::escape;
use crate::wording::Language;
use std::fmt::Write;

/// A page before it is written. Everything that came from outside is escaped.
pub(crate) struct Page<'a> {
    /// Of its headings and labels.
    pub(crate) language: Language,
    /// Small print below the badge, and its title.
    pub(crate) subject: &'a str,
    /// Colour and words of the badge.
    pub(crate) badge: (&'a str, &'a str),
    /// Below the badge's words.
    pub(crate) below: &'a str,
    /// The body.
    pub(crate) blocks: &'a [Block],
}

impl Page<'_> {
    /// The whole page; `button` is an address and what to write on it.
    pub(crate) fn render(&self, button: Option<(&str, &str)>) -> String {
        let mut body = String::new();
        if let Some((link, label)) = button {
            // Opens a page; nothing happens before its button is pressed. Writing to a string does not fail.
            _ = write!(
                body,
                "<p style=\"margin:14px 0\"><a href=\"{}\" style=\"display:inline-block;background:#1565c0;color:#ffffff;text-decoration:none;font-size:18px;font-weight:bold;padding:12px 28px;border-radius:6px\">{}</a></p>",
                escape(link),
                escape(label)
            );
        }
        for block in self.blocks {
            shown(block, &mut body);
        }
        self.frame(&body)
    }

    fn frame(&self, body: &str) -> String {
        let (colour, label) = self.badge;
        format!(
            "<!DOCTYPE html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title></head>\
             <body style=\"margin:0;background:#eceff1\"><div style=\"max-width:640px;margin:0 auto;background:#ffffff;color:#212121;font:16px/1.6 'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif;padding:16px\">\
             <div style=\"background:{colour};color:#ffffff;font-size:20px;font-weight:bold;padding:10px 14px;border-radius:6px\">{label}<div style=\"font-size:16px\">{below}</div></div>\
             <p style=\"font-size:13px;color:#546e7a;margin:10px 0 0;overflow-wrap:anywhere\">{title}</p>{body}</div></body></html>\n",
            language = self.language.id(),
            title = escape(self.subject),
            label = escape(label),
            below = escape(self.below),
        )
    }
}

fn shown(block: &Block, body: &mut String) {
    if !block.title.is_empty() {
        _ = write!(
            body,
            "<h2 style=\"font-size:14px;color:#546e7a;margin:18px 0 4px;border-bottom:1px solid #cfd8dc\">{}</h2>",
            escape(&block.title)
        );
    }
    // What wraps on a phone hangs below its own beginning, so that lines can be told apart at a glance.
    let margin = if block.title.is_empty() { "14px 0 2px 1em" } else { "2px 0 2px 1em" };
    for line in &block.lines {
        _ = write!(body, "<div style=\"margin:{margin};text-indent:-1em;overflow-wrap:anywhere\">{}</div>", escape(line));
    }
    for note in &block.notes {
        _ = write!(body, "<div style=\"margin:4px 0;font-size:12px;color:#546e7a;overflow-wrap:anywhere\">{}</div>", escape(note));
    }
}
