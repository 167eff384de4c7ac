//! The HTML side of an alert: readable on a phone, nothing fetched from anywhere.

use crate::case::Intent;
use crate::edge::notify::render::{Block, badge};
use crate::model::markup::escape;
use std::fmt::Write;

/// The whole page. Everything that came from outside is escaped.
pub(crate) fn page(subject: &str, intent: &Intent, deadline: &str, blocks: &[Block], link: Option<&str>) -> String {
    let (colour, label) = badge(intent);
    let mut body = String::new();
    if let Some(link) = link {
        // Opens a page; nothing happens before its button is pressed.
        _ = write!(
            body,
            "<p style=\"margin:14px 0\"><a href=\"{}\" style=\"display:inline-block;background:#1565c0;color:#ffffff;text-decoration:none;font-size:18px;font-weight:bold;padding:12px 28px;border-radius:6px\">受領・交代のページを開く</a></p>",
            escape(link)
        );
    }
    body.push_str(&shown(blocks));
    frame(subject, (colour, &label), deadline, &body)
}

/// A page of lists.
pub(crate) fn list(subject: &str, name: &str, at: &str, blocks: &[Block]) -> String {
    frame(subject, ("#37474f", name), at, &shown(blocks))
}

fn shown(blocks: &[Block]) -> String {
    let mut body = String::new();
    for block in blocks {
        // Writing to a string does not fail.
        _ = write!(
            body,
            "<h2 style=\"font-size:14px;color:#546e7a;margin:18px 0 4px;border-bottom:1px solid #cfd8dc\">{}</h2>",
            escape(block.title)
        );
        for line in &block.lines {
            _ = write!(body, "<div style=\"margin:2px 0;overflow-wrap:anywhere\">{}</div>", escape(line));
        }
        for note in &block.notes {
            _ = write!(body, "<div style=\"margin:4px 0;font-size:12px;color:#78909c;overflow-wrap:anywhere\">{}</div>", escape(note));
        }
    }
    body
}

fn frame(subject: &str, (colour, label): (&str, &str), below: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"ja\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title></head>\
         <body style=\"margin:0;background:#eceff1\"><div style=\"max-width:640px;margin:0 auto;background:#ffffff;color:#212121;font:16px/1.6 'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif;padding:16px\">\
         <div style=\"background:{colour};color:#ffffff;font-size:20px;font-weight:bold;padding:10px 14px;border-radius:6px\">{label}<div style=\"font-size:16px\">{deadline}</div></div>\
         <p style=\"font-size:13px;color:#546e7a;margin:10px 0 0;overflow-wrap:anywhere\">{title}</p>{body}</div></body></html>\n",
        title = escape(subject),
        label = escape(label),
        deadline = escape(below),
    )
}
