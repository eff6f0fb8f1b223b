//! Mail servers that the board hands mails to, in the open and over TLS, with and without a login.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fuseboard::{
    domain::notify::{Channel, EmailTls, Mail, ReceiverConfig, ReceiverSpec},
    outbound::{Letter, MailError, Outbound, OutboundError},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use crate::{outbound_tls::acceptor, peer::Peer, peer::knowing};

const PASSWORD: &str = "hunter2-of-this-test";
/// RFC 4616: an empty identity, the user and the password.
const LOGIN: &str = "AUTH PLAIN AGZ1c2UAaHVudGVyMi1vZi10aGlzLXRlc3Q=\r\n";

/// What a mail server was told until it had a mail, or until the connection went on over TLS.
pub type Mails = Arc<Mutex<Vec<String>>>;

/// A mail server.
#[derive(Clone)]
struct MailServer {
    /// What it says to the sender's address.
    answer: &'static str,
    /// What it offers besides, as lines of the answer to EHLO.
    offers: &'static str,
    seen: Mails,
}

/// A mail server that takes whatever comes, or says `answer` to the sender's address.
pub async fn mail_server(answer: &'static str) -> (Peer, Mails) {
    let server = MailServer { answer, offers: "", seen: Mails::default() };
    let seen = Arc::clone(&server.seen);
    let doing = move |stream: TcpStream| {
        let server = server.clone();
        async move { drop(server.converse(BufReader::new(stream), true).await) }
    };
    (Peer::doing(doing).await, seen)
}

impl MailServer {
    /// Until the end. Returns the stream if it is to go on over TLS.
    async fn converse<S>(&self, mut stream: BufReader<S>, greets: bool) -> Option<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut said = String::new();
        if greets {
            drop(stream.write_all(b"220 mail.test ESMTP\r\n").await);
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return None;
            }
            said.push_str(&line);
            let reply = match line.split([' ', '\r']).next().unwrap() {
                "EHLO" => &format!("250-mail.test\r\n{}250 8BITMIME\r\n", self.offers),
                "AUTH" if line == LOGIN => "235 welcome\r\n",
                "AUTH" => "535 who?\r\n",
                "STARTTLS" => "220 go on\r\n",
                "MAIL" => self.answer,
                "RCPT" => "250 OK\r\n",
                "DATA" => {
                    drop(stream.write_all(b"354 go on\r\n").await);
                    while !said.ends_with("\r\n.\r\n") && stream.read_line(&mut said).await.unwrap_or(0) > 0 {
                    }
                    self.seen.lock().unwrap().push(said.clone());
                    "250 taken\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "502 what?\r\n",
            };
            drop(stream.write_all(reply.as_bytes()).await);
            match line.trim_end() {
                "QUIT" => return None,
                "STARTTLS" => {
                    self.seen.lock().unwrap().push(said);
                    return Some(stream.into_inner());
                }
                _ => {}
            }
        }
    }
}

/// A mail server over TLS, at once or when it is asked for, that lets in who knows the password.
async fn secure_server(tls: EmailTls) -> (Peer, Mails, Outbound) {
    let (acceptor, certificate) = acceptor(2100);
    let seen = Mails::default();
    let server = |offers| MailServer { answer: "250 OK\r\n", offers, seen: Arc::clone(&seen) };
    // The password is asked for only where nobody else reads it.
    let (open, inside) = (server("250-STARTTLS\r\n"), server("250-AUTH PLAIN LOGIN\r\n"));
    let peer = Peer::doing(move |stream| {
        let (acceptor, open, inside): (TlsAcceptor, _, _) = (acceptor.clone(), open.clone(), inside.clone());
        async move {
            let is_implicit = tls == EmailTls::Implicit;
            let stream =
                if is_implicit { Some(stream) } else { open.converse(BufReader::new(stream), true).await };
            let Some(stream) = stream else { return };
            let Ok(stream) = acceptor.accept(stream).await else { return };
            inside.converse(BufReader::new(stream), is_implicit).await;
        }
    })
    .await;
    let outbound = knowing(&[("a.test", &[peer.address]), ("b.test", &[peer.address])]);
    (peer, seen, outbound.trusting(vec![certificate]))
}

/// As a receiver says it.
fn mail(peer: &Peer, host: &str, tls: EmailTls, password: &str) -> Mail {
    let spec: Value = json!({
        "kind": "email", "smtp_host": host, "smtp_port": peer.address.port(), "smtp_tls": tls,
        "smtp_username": "fuse", "smtp_password": password, "from": "board@fuse.test", "to": ["ops@fuse.test"],
    });
    let spec: ReceiverSpec = serde_json::from_value(spec).unwrap();
    match ReceiverConfig::try_from(spec).unwrap().channel {
        Channel::Email(mail) => mail,
        other => panic!("{other:?}"),
    }
}

fn letter(mail: Mail) -> Letter {
    let text = "Nothing is wrong.".to_owned();
    Letter {
        mail,
        subject: "A test".to_owned(),
        text,
        id: "one".to_owned(),
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn a_mail_goes_over_tls_after_a_login() {
    for tls in [EmailTls::Starttls, EmailTls::Implicit] {
        let (peer, seen, outbound) = secure_server(tls).await;
        outbound.mail(letter(mail(&peer, "a.test", tls, PASSWORD))).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        let (inside, open) = seen.split_last().unwrap();
        for part in [LOGIN, "MAIL FROM:<board@fuse.test>", "RCPT TO:<ops@fuse.test>", "Nothing is wrong."] {
            assert!(inside.contains(part), "{tls:?} {part}: {inside}");
        }
        // In the open there was only the wish for TLS.
        assert_eq!(open.len(), usize::from(tls == EmailTls::Starttls), "{open:?}");
        assert!(open.iter().all(|said| said.ends_with("STARTTLS\r\n") && !said.contains("AUTH")), "{open:?}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_or_shows_the_wrong_certificate_gets_no_mail() {
    for tls in [EmailTls::Starttls, EmailTls::Implicit] {
        let (peer, seen, outbound) = secure_server(tls).await;
        let error = outbound.mail(letter(mail(&peer, "a.test", tls, "wrong"))).await.unwrap_err();
        let MailError::Refused { reason, is_permanent: true } = &error else { panic!("{error:?}") };
        assert!(reason.contains("535") || reason.contains("who?"), "{reason}");
        assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
        // The certificate is for another name.
        let error = outbound.mail(letter(mail(&peer, "b.test", tls, PASSWORD))).await.unwrap_err();
        assert!(matches!(error, MailError::Outbound(OutboundError::Tls(_))), "{tls:?}: {error:?}");
        let seen = seen.lock().unwrap();
        assert!(seen.iter().all(|said| said.ends_with("STARTTLS\r\n")), "{seen:?}");
    }
}
