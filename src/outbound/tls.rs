//! TLS as a client.

use std::{sync::Arc, time::Duration};

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring},
    },
};
use x509_cert::{Certificate, der::Decode};

use super::OutboundError;
use crate::domain::text::with_causes;

/// How connections become secure.
#[derive(Debug, Default)]
pub(super) struct Tls {
    /// None for those that the system trusts.
    roots: Option<Vec<CertificateDer<'static>>>,
    strict: OnceCell<Arc<ClientConfig>>,
    lenient: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn trusting(roots: Vec<CertificateDer<'static>>) -> Self {
        Self { roots: Some(roots), ..Self::default() }
    }

    /// Whom it trusts, if it is not whom the system does.
    pub(super) fn roots(&self) -> Option<&[CertificateDer<'static>]> {
        self.roots.as_deref()
    }

    /// Shakes hands with `host`, a name or an address; its certificate must be valid if `verify`.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        host: &str,
        verify: bool,
    ) -> Result<TlsStream<TcpStream>, OutboundError> {
        let broken = |error: &dyn std::error::Error| OutboundError::Tls(with_causes(error));
        let config = if verify {
            self.strict.get_or_try_init(|| strict(self.roots.clone())).await
        } else {
            self.lenient.get_or_try_init(async || lenient()).await
        };
        let config = Arc::clone(config.map_err(|error| broken(&error))?);
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| broken(&error))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| broken(&error))
    }
}

/// How long the certificate that the peer has shown is still valid at `now`, in seconds since 1970.
pub(super) fn expires_in(stream: &TlsStream<TcpStream>, now: Duration) -> Option<Duration> {
    let shown = stream.get_ref().1.peer_certificates()?.first()?;
    let certificate = Certificate::from_der(shown).ok()?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Some(end.saturating_sub(now))
}

/// The certificates of the system's store; none in a bare container.
pub(super) fn system_certificates() -> Vec<CertificateDer<'static>> {
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a certificate of the system's store cannot be read");
    }
    native.certs
}

/// The system's store, because a company's own roots are in it; where it is empty, as in a bare container, Mozilla's
/// list as it was when this was built. Read once.
fn system_roots() -> RootCertStore {
    trusted_or_built_in(system_certificates())
}

fn trusted_or_built_in(certificates: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        tracing::info!("the system trusts no certificates; Mozilla's list of the time of the build is used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

async fn strict(given: Option<Vec<CertificateDer<'static>>>) -> Result<Arc<ClientConfig>, Error> {
    let roots = if let Some(given) = given {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(given);
        roots
    } else {
        let read = tokio::task::spawn_blocking(system_roots).await;
        read.map_err(|error| Error::General(error.to_string()))?
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(finished(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn lenient() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    Ok(finished(builder.with_no_client_auth()))
}

/// A resumed session shows no certificate: a new one, or the end of the old one, would go unseen.
fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Takes any certificate. Signatures are not looked at either: from a peer that can be anybody they prove nothing, and
/// the appliances that this is for have certificates that a strict reader refuses.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_is_only_for_who_has_no_other() {
        let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap().cert.der().clone();
        assert_eq!(trusted_or_built_in(vec![own]).len(), 1);
        for useless in [vec![], vec![CertificateDer::from_slice(b"junk")]] {
            assert_eq!(trusted_or_built_in(useless).len(), webpki_roots::TLS_SERVER_ROOTS.len());
        }
    }
}
