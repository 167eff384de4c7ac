//! How to take a case: page, reply, command line. The one block that also leaves the company, so it holds no word of the case.

use crate::edge::notify::render::Alert;
use crate::wording::hole::Hole;
use crate::wording::text::Text;

impl Alert<'_> {
    pub(crate) fn take(&self) -> Vec<String> {
        let (texts, id) = (self.texts, self.case.id.to_string());
        let values = [(Hole::Case, id.as_str()), (Hole::Person, self.intent.to.person.as_str())];
        let mut lines = vec![];
        if let Some(link) = &self.answers.link {
            lines.push(texts.fill(Text::TakeUrl, &[(Hole::Link, link)]));
        }
        if self.answers.reply_to.is_some() {
            lines.push(texts.plain(Text::TakeReply));
        }
        // Where several roles must acknowledge, only the key of the policy tells which part is given.
        let own = if self.ladder.acknowledge_by.is_empty() { Text::TakeNamed } else { Text::TakeShared };
        lines.extend([own, Text::TakePass, Text::TakeShow].map(|text| texts.fill(text, &values)));
        if let Some(ticket) = &self.summary.ticket {
            lines.push(texts.fill(Text::TakeTicket, &[(Hole::Ticket, ticket)]));
        }
        lines.extend(self.summary.url.clone());
        lines
    }
}
