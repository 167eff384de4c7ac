//! Reads the mail a web form sends: labels the company configured, and the values behind them.
//!
//! Only the free text is the customer's message. A customer can type a label into that text; a typed label must
//! neither change who they are nor take text away from judging. Cost: lines times labels.

use crate::decode::settings::{FormLabel, FormRule, FormTarget};

/// What a form mail says; empty where a label is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FormReading {
    /// The customer's address, lower case.
    pub customer: Option<String>,
    /// The customer's name.
    pub name: Option<String>,
    /// The order or contract number.
    pub order: Option<String>,
    /// The subject the customer chose.
    pub subject: Option<String>,
    /// The free text.
    pub text: String,
}

/// Where a label stands, and what stands behind it on its line.
struct Place<'a> {
    line: usize,
    label: usize,
    target: FormTarget,
    first: &'a str,
}

/// Reads a form mail; nothing if no label of the free text stands in it.
pub(crate) fn read(rule: &FormRule, text: &str) -> Option<FormReading> {
    let lines: Vec<&str> = text.lines().collect();
    let places = real_places(&lines, &rule.labels)?;
    let mut reading = FormReading::default();
    for (index, place) in places.iter().enumerate() {
        let end = places.get(index + 1).map_or(lines.len(), |next| next.line);
        let rest = lines.get(place.line + 1..end).unwrap_or_default();
        let value = std::iter::once(place.first).chain(rest.iter().copied()).collect::<Vec<_>>().join("\n");
        let value = value.trim();
        let line = || value.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
        match place.target {
            FormTarget::Text if reading.text.is_empty() => value.clone_into(&mut reading.text),
            FormTarget::Text => reading.text = format!("{}\n{value}", reading.text),
            FormTarget::Customer => reading.customer = reading.customer.or_else(|| address_in(value)),
            FormTarget::CustomerName => reading.name = reading.name.or_else(line),
            FormTarget::Order => reading.order = reading.order.or_else(line),
            FormTarget::Subject => reading.subject = reading.subject.or_else(line),
            FormTarget::Ignore => {}
        }
    }
    Some(reading)
}

/// Every label once: before the free text its first place, behind it its last, so that a typed copy stays text.
fn real_places<'a>(lines: &[&'a str], labels: &[FormLabel]) -> Option<Vec<Place<'a>>> {
    let found: Vec<Place<'a>> = lines.iter().enumerate().filter_map(|(line, text)| place(line, text, labels)).collect();
    let text_at = found.iter().find(|place| place.target == FormTarget::Text)?.line;
    let mut real: Vec<Place<'a>> = vec![];
    for place in found {
        match real.iter_mut().find(|held| held.label == place.label) {
            None => real.push(place),
            Some(held) if held.line > text_at => *held = place,
            Some(_) => {}
        }
    }
    real.sort_by_key(|place| place.line);
    Some(real)
}

fn place<'a>(line: usize, text: &'a str, labels: &[FormLabel]) -> Option<Place<'a>> {
    let text = text.trim();
    labels.iter().enumerate().find_map(|(index, label)| {
        let rest = text.strip_prefix(label.label.trim()).filter(|_| !label.label.trim().is_empty())?;
        let framed = label.label.trim_end().ends_with(['】', ']', '］', '」', '>', '＞', ':', '：']);
        let ends = rest.is_empty() || rest.starts_with([':', '：', ' ', '\u{3000}', '\t']);
        let first = rest.trim_start_matches([':', '：', ' ', '\u{3000}', '\t']);
        (framed || ends).then_some(Place { line, label: index, target: label.target, first })
    })
}

/// The first thing that looks like a mail address.
fn address_in(value: &str) -> Option<String> {
    let words = value.split(|c: char| c.is_whitespace() || "<>()（）「」,;、".contains(c));
    words.map(str::to_lowercase).find(|word| word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> FormRule {
        let labels = [
            ("【お名前】", FormTarget::CustomerName),
            ("【メールアドレス】", FormTarget::Customer),
            ("ご注文番号", FormTarget::Order),
            ("【お問い合わせ内容】", FormTarget::Text),
            ("【電話番号】", FormTarget::Ignore),
        ];
        let labels = labels.map(|(label, target)| FormLabel { label: label.to_owned(), target });
        FormRule { from: None, subject_contains: None, labels: labels.to_vec() }
    }

    #[test]
    fn values_are_read_behind_their_labels() {
        let text = "下記の送信がありました\n【お名前】鳥羽 一郎\n【メールアドレス】： Toba@X.example\nご注文番号: A-1\nご注文番号は上です\n\
                    【お問い合わせ内容】\n一行目\n\n二行目\n【電話番号】 090\n末尾";
        let reading = read(&rule(), text).expect("a form");
        assert_eq!(reading.customer.as_deref(), Some("toba@x.example"));
        assert_eq!((reading.name.as_deref(), reading.order.as_deref()), (Some("鳥羽 一郎"), Some("A-1")));
        assert_eq!(reading.text, "一行目\n\n二行目");
    }

    #[test]
    fn typed_labels_stay_text() {
        let text = "【メールアドレス】a@x.example\n【お問い合わせ内容】\n一\n【メールアドレス】victim@y.example\n【電話番号】死ね\n二\n【電話番号】090";
        let reading = read(&rule(), text).expect("a form");
        assert_eq!(reading.customer.as_deref(), Some("a@x.example"));
        assert_eq!(reading.text, "一\n【メールアドレス】victim@y.example\n【電話番号】死ね\n二");
        assert_eq!(read(&rule(), "【お名前】だけ"), None);
    }
}
