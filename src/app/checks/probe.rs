//! Doing what a check asks for.

use std::time::Duration;

use bytes::Bytes;
use url::Host;

use crate::{
    app::Board,
    domain::check::{
        Active, CheckConfig, HttpAnswer, HttpProbe, MAX_REDIRECTS, Observation, Probe, Source, TcpProbe,
        judge_breaker,
    },
    outbound::{Dial, Fetch, OutboundError},
};

/// How much longer than its timeout an exchange may take before it is dropped from outside.
const MARGIN: Duration = Duration::from_secs(1);
/// The most that is read of what comes back over TCP.
const MOST_RECEIVED: usize = 64 << 10;

/// Whether a run waits for others, so that it needs a place of its own.
pub(super) fn is_remote(config: &CheckConfig) -> bool {
    matches!(&config.source, Source::Active(Active { probe: Probe::Http(_) | Probe::Tcp(_), .. }))
}

impl Board {
    /// What is seen of a check that looks into the board's own memory; none if this one does not.
    pub(super) fn glance(&self, config: &CheckConfig) -> Option<Observation> {
        let Source::Active(active) = &config.source else { return None };
        match &active.probe {
            Probe::Breaker(name) => {
                let breaker = self.breakers.get(name.as_str());
                Some(judge_breaker(breaker.map(|cell| cell.state(self))))
            }
            Probe::Metric(probe) => {
                let series = probe.series();
                Some(probe.judge(series.and_then(|series| self.metric_latest(&probe.name, &series))))
            }
            Probe::Http(_) | Probe::Tcp(_) => None,
        }
    }

    /// What is seen, however long it takes; but not longer than the probe's timeout.
    pub(super) async fn probe(&self, config: &CheckConfig) -> Observation {
        let Source::Active(active) = &config.source else {
            return Observation::failed("nothing to do", "the board does not run this kind of check");
        };
        let begun = self.clock.now();
        let most = active.probe.timeout().get();
        let work = async {
            match &active.probe {
                Probe::Http(probe) => self.ask(probe).await,
                Probe::Tcp(probe) => self.connect(probe).await,
                Probe::Breaker(_) | Probe::Metric(_) => Ok(self
                    .glance(config)
                    .unwrap_or_else(|| Observation::failed("nothing to do", "there is nothing to look at"))),
            }
        };
        let seen = match tokio::time::timeout(most.saturating_add(MARGIN), work).await {
            Ok(seen) => seen,
            Err(_) => Err(OutboundError::Timeout(most)),
        };
        seen.unwrap_or_else(|error| {
            Observation::failed(summary(&error), error.to_string()).took(self.clock.now().since(begun))
        })
    }

    async fn ask(&self, probe: &HttpProbe) -> Result<Observation, OutboundError> {
        let fetch = Fetch {
            method: probe.method.as_str().parse().unwrap_or_default(),
            url: probe.url.clone(),
            headers: probe.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: probe.body.as_deref().map(|body| Bytes::from(body.to_owned())).unwrap_or_default(),
            timeout: probe.timeout.get(),
            max_redirects: if probe.follow_redirects {
                u8::try_from(MAX_REDIRECTS).unwrap_or(u8::MAX)
            } else {
                0
            },
            verify_tls: probe.tls_verify,
            max_response_bytes: if probe.wants_body() {
                usize::try_from(probe.max_response_bytes).unwrap_or(usize::MAX)
            } else {
                0
            },
        };
        let answer = self.outbound.fetch(fetch).await?;
        Ok(probe.judge(&HttpAnswer {
            status: answer.status,
            body: &answer.body,
            is_complete: answer.is_complete,
            duration: answer.duration,
            certificate_expires_in: answer.certificate_expires_in,
        }))
    }

    async fn connect(&self, probe: &TcpProbe) -> Result<Observation, OutboundError> {
        let dial = Dial {
            host: match &probe.address.host {
                Host::Domain(name) => name.clone(),
                Host::Ipv4(address) => address.to_string(),
                Host::Ipv6(address) => address.to_string(),
            },
            port: probe.address.port,
            send: probe.send.as_deref().map(|send| Bytes::from(send.to_owned())).unwrap_or_default(),
            max_response_bytes: if probe.expect_contains.is_some() { MOST_RECEIVED } else { 0 },
            timeout: probe.timeout.get(),
        };
        let (received, duration) = self.outbound.dial(dial, |received| probe.is_satisfied(received)).await?;
        Ok(probe.judge(&received, duration))
    }
}

/// The sentence for people; the error has the rest.
fn summary(error: &OutboundError) -> String {
    match error {
        OutboundError::Forbidden(..) => "the address is not allowed".to_owned(),
        OutboundError::Resolve(..) => "the name cannot be resolved".to_owned(),
        OutboundError::Connect(_) => "no connection".to_owned(),
        OutboundError::Tls(_) => "no secure connection".to_owned(),
        OutboundError::Timeout(most) => format!("no answer within {} s", most.as_secs_f64()),
        OutboundError::Broken(_) => "the exchange failed".to_owned(),
    }
}
