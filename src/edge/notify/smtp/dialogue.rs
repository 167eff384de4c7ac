//! One mail over one connection, step by step, each step with a time of its own under that of the whole.

use crate::edge::notify::smtp::{Security, Smtp};
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::response::{Response, Severity};
use std::time::Duration;
use tokio::time::Instant;

/// Time to connect, and for the greeting; a mail server that needs longer is down.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Time for one command and its answer. RFC 5321 allows five minutes; an alert cannot wait that long, and another attempt follows.
const COMMAND_MAX: Duration = Duration::from_secs(30);

/// Time for saying goodbye, after the mail is safe.
const QUIT_MAX: Duration = Duration::from_secs(2);

/// Where a dialogue stood when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Connection, greeting, EHLO.
    Connect,
    /// STARTTLS and the second EHLO.
    Protect,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, before any text.
    Data,
    /// The text and the answer to it.
    Text,
}

/// Why a dialogue ended.
pub(crate) struct Fault {
    /// Where.
    pub(crate) step: Step,
    /// What went wrong.
    pub(crate) why: Why,
}

/// What went wrong in a step.
pub(crate) enum Why {
    /// The library says.
    Error(Error),
    /// Time was up.
    Time,
    /// An answer that does not belong to the question: the server is a step ahead or behind, and nothing it said counts.
    OutOfStep,
}

/// The time that is left.
struct Clock {
    end: Instant,
}

impl Clock {
    async fn within<T>(&self, step: Step, longest: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        let end = self.end.min(Instant::now() + longest);
        match tokio::time::timeout_at(end, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Fault { step, why: Why::Error(error) }),
            Err(_) => Err(Fault { step, why: Why::Time }),
        }
    }

    /// The same for a command whose answer must be of one kind. The library takes "go on" for a success too, but a server that
    /// is one answer ahead would then have taken a mail that it never read.
    async fn expect(
        &self,
        step: Step,
        longest: Duration,
        wanted: Severity,
        work: impl Future<Output = Result<Response, Error>>,
    ) -> Result<(), Fault> {
        let answer = self.within(step, longest, work).await?;
        if answer.code().severity == wanted { Ok(()) } else { Err(Fault { step, why: Why::OutOfStep }) }
    }
}

impl Smtp {
    /// Hands one mail over.
    pub(crate) async fn deliver(
        &self,
        login: Option<(Credentials, &'static [Mechanism])>,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<(), Fault> {
        use Severity::{PositiveCompletion, PositiveIntermediate};
        let clock = Clock { end: Instant::now() + self.relay.timeout };
        let wrapper = self.tls.clone().filter(|_| self.relay.security == Security::Tls);
        let server = (self.relay.host.as_str(), self.relay.port);
        let connect = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_MAX), &self.hello, wrapper, None);
        let mut connection = clock.within(Step::Connect, CONNECT_MAX, connect).await?;
        if let (Security::StartTls, Some(tls)) = (self.relay.security, &self.tls) {
            clock.within(Step::Protect, CONNECT_MAX, connection.starttls(tls.clone(), &self.hello)).await?;
        }
        if let Some((credentials, mechanisms)) = &login {
            clock.expect(Step::Login, COMMAND_MAX, PositiveCompletion, connection.auth(mechanisms, credentials)).await?;
        }
        let from = Mail::new(envelope.from().cloned(), vec![]);
        clock.expect(Step::Sender, COMMAND_MAX, PositiveCompletion, connection.command(from)).await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), vec![]);
            clock.expect(Step::Recipient, COMMAND_MAX, PositiveCompletion, connection.command(to)).await?;
        }
        clock.expect(Step::Data, COMMAND_MAX, PositiveIntermediate, connection.command(Data)).await?;
        clock.expect(Step::Text, self.relay.timeout, PositiveCompletion, connection.message(mail)).await?;
        // The mail is safe; how the server takes its leave changes nothing, and nobody waits for it.
        tokio::spawn(async move { _ = tokio::time::timeout(QUIT_MAX, connection.quit()).await });
        Ok(())
    }
}
