//! Kinds of plain text that need a reader of their own: `format=flowed` and calendars.
//!
//! Never judges what it reads. Cost: linear.

/// Joins the soft line breaks of `format=flowed` (RFC 3676), within one quote depth.
pub(crate) fn unflowed(text: &str, keep_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<&str> = None;
    for line in text.split('\n') {
        let content = line.trim_start_matches('>');
        let (marks, _) = line.split_at_checked(line.len() - content.len()).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        match open {
            Some(before) if before == marks => out.push_str(content),
            _ => {
                if open.is_some() {
                    out.push('\n');
                }
                out.push_str(marks);
                out.push_str(if marks.is_empty() { "" } else { " " });
                out.push_str(content);
            }
        }
        let soft = content.ends_with(' ') && content != "-- ";
        open = soft.then_some(marks);
        if soft && !keep_space {
            out.pop();
        } else if !soft {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// What a person wrote in an invitation.
pub(crate) fn calendar_text(text: &str) -> String {
    let unfolded = text.replace("\n ", "").replace("\n\t", "");
    let wanted = |line: &str| ["SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT"].iter().any(|name| line.starts_with(name));
    let values = unfolded.lines().filter(|line| wanted(line)).filter_map(|line| line.split_once(':')).map(|(_, value)| value);
    values.map(|value| value.replace("\\n", "\n").replace("\\,", ",")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_are_joined() {
        for (text, keep, expected) in [
            ("返金して \nください\n", true, "返金して ください"),
            ("返金して \nください\n", false, "返金してください"),
            ("> a \n> b\nc", true, "> a b\nc"),
            ("> a \nc", true, "> a \nc"),
            ("a\n-- \n名前", true, "a\n-- \n名前"),
        ] {
            assert_eq!(unflowed(text, keep), expected, "{text}");
        }
    }

    #[test]
    fn invitations_hold_what_a_person_wrote() {
        let text = "BEGIN:VEVENT\nSUMMARY;LANGUAGE=ja:打合せ\nDESCRIPTION:本社の\n 受付\\n必ず\\, 来い\nUID:1\n";
        assert_eq!(calendar_text(text), "打合せ\n本社の受付\n必ず, 来い");
    }
}
