//! Mail by SMTP: over a connection to an address that was checked, with a bound on what the server says.

use std::{io, net::SocketAddr, time::Duration};

use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters},
        extension::ClientId,
    },
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::{Outbound, OutboundError, connect::connect, head::UntilAnswer, tls};
use crate::domain::{
    notify::{EmailTls, Mail},
    text::with_causes,
};

/// Bytes that a server may say altogether, certificates included.
const MOST_SAID: usize = 256 << 10;

/// A mail to send. Does not print: its text is for its recipients.
#[derive(Clone)]
pub struct Letter {
    /// To whom, over which server.
    pub mail: Mail,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The local part of its `Message-ID`: equal for every attempt.
    pub id: String,
    /// From the look-up of the name to the end.
    pub timeout: Duration,
}

/// Why a mail is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server cannot be reached.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The server will not take it, now or ever.
    #[error("the mail server refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
        /// Whether it will never take it (RFC 5321, section 4.2.1: 5yz).
        is_permanent: bool,
    },
    /// It cannot be written as a mail.
    #[error("the mail cannot be written: {0}")]
    Unsendable(String),
}

impl<S: Stream> AsyncTokioStream for UntilAnswer<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner().peer()
    }
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {
    fn peer(&self) -> io::Result<SocketAddr>;
}

impl Stream for TcpStream {
    fn peer(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn peer(&self) -> io::Result<SocketAddr> {
        self.get_ref().0.peer_addr()
    }
}

impl Outbound {
    /// Hands a mail to its server.
    pub async fn mail(&self, letter: Letter) -> Result<(), MailError> {
        let patience = letter.timeout;
        let sent = timeout(patience, Box::pin(self.hand_in(&letter))).await;
        sent.map_err(|_| OutboundError::Timeout(patience))?
    }

    async fn hand_in(&self, letter: &Letter) -> Result<(), MailError> {
        let mail = &letter.mail;
        let message = message(letter).map_err(MailError::Unsendable)?;
        let stream = connect(&self.addresses(&mail.host, mail.port).await?).await?;
        let hello = ClientId::default();
        let mut server = if mail.tls == EmailTls::Implicit {
            let stream = self.0.tls.shake(stream, &mail.host, true).await?;
            AsyncSmtpConnection::connect_with_transport(
                Box::new(UntilAnswer::new(stream, MOST_SAID).0),
                &hello,
            )
            .await
        } else {
            AsyncSmtpConnection::connect_with_transport(
                Box::new(UntilAnswer::new(stream, MOST_SAID).0),
                &hello,
            )
            .await
        }
        .map_err(|error| refused(&error))?;
        if mail.tls == EmailTls::Starttls {
            let parameters = self.parameters(&mail.host).await?;
            // An error if the server does not offer it: nothing goes out that anybody can read.
            server.starttls(parameters, &hello).await.map_err(|error| match error.status() {
                None if !error.is_client() => OutboundError::Tls(with_causes(&error)).into(),
                _ => refused(&error),
            })?;
        }
        if let Some((user, password)) = &mail.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            server.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(|error| refused(&error))?;
        }
        server.send(message.envelope(), &message.formatted()).await.map_err(|error| refused(&error))?;
        // It has the mail; whether it says good-bye is its own business.
        drop(server.quit().await);
        Ok(())
    }

    /// The same trust as for everything else that goes out.
    async fn parameters(&self, host: &str) -> Result<TlsParameters, OutboundError> {
        let broken = |error: &dyn std::error::Error| OutboundError::Tls(with_causes(error));
        let trusted = match self.0.tls.roots() {
            Some(roots) => roots.to_vec(),
            None => {
                tokio::task::spawn_blocking(tls::system_certificates).await.map_err(|error| broken(&error))?
            }
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let builder = TlsParameters::builder(bare.to_owned());
        if trusted.is_empty() {
            return builder
                .certificate_store(CertificateStore::WebpkiRoots)
                .build_rustls()
                .map_err(|error| broken(&error));
        }
        let certificates = trusted.into_iter().filter_map(|der| Certificate::from_der(der.to_vec()).ok());
        certificates
            .fold(builder.certificate_store(CertificateStore::None), |builder, certificate| {
                builder.add_root_certificate(certificate)
            })
            .build_rustls()
            .map_err(|error| broken(&error))
    }
}

fn refused(error: &lettre::transport::smtp::Error) -> MailError {
    if error.is_tls() {
        return OutboundError::Tls(with_causes(error)).into();
    }
    MailError::Refused { reason: with_causes(error), is_permanent: error.is_permanent() }
}

fn message(letter: &Letter) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<lettre::message::Mailbox>().map_err(|error| error.to_string());
    let from = mailbox(&letter.mail.from)?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .from(from)
        .subject(&letter.subject)
        .message_id(Some(format!("<{}@{domain}>", letter.id)))
        .header(lettre::message::header::ContentType::TEXT_PLAIN);
    for recipient in &letter.mail.to {
        builder = builder.to(mailbox(recipient)?);
    }
    builder.body(letter.text.clone()).map_err(|error| error.to_string())
}
