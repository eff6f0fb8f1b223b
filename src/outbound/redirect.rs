//! What is asked, and what is asked instead when the answer is a redirect.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use url::Url;

use super::{Fetch, OutboundError};

/// They frame the message, which is our own business.
const FRAMING: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// They hold no secret. Which others do cannot be told from their names.
const HARMLESS: [HeaderName; 6] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::PRAGMA,
    header::USER_AGENT,
];

/// One request, without what belongs to the connection.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn first(fetch: &Fetch) -> Result<Self, OutboundError> {
        let mut headers = HeaderMap::with_capacity(fetch.headers.len());
        for (name, value) in &fetch.headers {
            let wrong = || OutboundError::Broken(format!("the header {name:?} cannot be sent"));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            if !FRAMING.contains(&key) {
                headers.append(key, HeaderValue::from_str(value).map_err(|_| wrong())?);
            }
        }
        let first =
            Self { method: fetch.method.clone(), url: fetch.url.clone(), headers, body: fetch.body.clone() };
        first.is_web().map(|()| first)
    }

    /// What the answer tells to ask instead: the same, or for the moved ones (301, 302, 303) a `GET` without body.
    /// Another origin is not told what was meant for this one. What was asked over TLS is not asked again without.
    pub(super) fn redirected(mut self, status: u16, location: &str) -> Result<Self, OutboundError> {
        let target = self
            .url
            .join(location)
            .map_err(|error| OutboundError::Broken(format!("the redirect leads nowhere: {error}")))?;
        let from = std::mem::replace(&mut self.url, target);
        self.is_web()?;
        if from.scheme() == "https" && self.url.scheme() != "https" {
            return Err(self.forbidden("it is a redirect from https to http"));
        }
        if from.origin() != self.url.origin() {
            let told = std::mem::take(&mut self.headers);
            let harmless = told.iter().filter(|(name, _)| HARMLESS.contains(*name));
            self.headers.extend(harmless.map(|(name, value)| (name.clone(), value.clone())));
        }
        if matches!(status, 301..=303) {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = Bytes::new();
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE] {
                self.headers.remove(name);
            }
        }
        Ok(self)
    }

    fn is_web(&self) -> Result<(), OutboundError> {
        match self.url.scheme() {
            "http" | "https" => Ok(()),
            scheme => Err(self.forbidden(&format!("{scheme} is neither http nor https"))),
        }
    }

    /// Without path and query, in which there may be secrets.
    fn forbidden(&self, why: &str) -> OutboundError {
        let place = self.url.host_str().unwrap_or_else(|| self.url.scheme());
        OutboundError::Forbidden(place.to_owned(), why.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, url: &str) -> Asked {
        let headers = ["authorization", "cookie", "x-api-key", "x-tenant", "host", "accept", "content-type"];
        let mut fetch = crate::outbound::tests::fetch(url);
        fetch.method = method;
        fetch.headers = headers.map(|name| (name.to_owned(), "v".to_owned())).to_vec();
        fetch.body = Bytes::from_static(b"body");
        Asked::first(&fetch).unwrap()
    }

    fn names(asked: &Asked) -> Vec<&str> {
        let mut names: Vec<_> = asked.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_method_and_the_body_follow_the_status() {
        let bytes = |body: &'static str| Bytes::from_static(body.as_bytes());
        for (status, asks, then, body) in [
            (301, Method::POST, Method::GET, ""),
            (302, Method::PUT, Method::GET, ""),
            (303, Method::POST, Method::GET, ""),
            (303, Method::HEAD, Method::HEAD, ""),
            (307, Method::POST, Method::POST, "body"),
            (308, Method::PUT, Method::PUT, "body"),
        ] {
            let next = asked(asks, "http://a.test/x").redirected(status, "/y").unwrap();
            assert_eq!((next.method.clone(), next.body.clone()), (then, bytes(body)), "{status}");
            assert_eq!(next.headers.contains_key("content-type"), !body.is_empty(), "{status}");
            assert!(
                next.headers.contains_key("authorization") && next.headers.contains_key("host"),
                "{status}"
            );
        }
    }

    #[test]
    fn another_origin_is_told_nothing_that_may_be_secret() {
        for (from, location, is_other) in [
            ("http://a.test/x", "/y", false),
            ("http://a.test/x", "http://A.test:80/y", false),
            ("http://a.test/x", "//a.test/y", false),
            ("http://a.test/x", "http://b.test/y", true),
            ("http://a.test/x", "http://a.test:81/y", true),
            ("http://a.test/x", "http://a.test.b.test/", true),
            ("http://a.test/x", "https://a.test/y", true),
            ("https://a.test/x", "https://user:secret@b.test/", true),
        ] {
            let next = asked(Method::POST, from).redirected(307, location).unwrap();
            let kept = names(&next);
            if is_other {
                assert_eq!(kept, ["accept", "content-type"], "{from} -> {location}");
            } else {
                assert_eq!(kept.len(), 7, "{from} -> {location}: {kept:?}");
            }
        }
    }

    #[test]
    fn some_places_are_not_gone_to() {
        for (from, location, wanted) in [
            (
                "https://a.test/x",
                "http://a.test/x?secret",
                "a.test may not be reached from here: it is a redirect",
            ),
            ("http://a.test/x", "file:///etc/passwd", "file is neither http nor https"),
            ("http://a.test/x", "ftp://b.test/", "ftp is neither http nor https"),
            ("http://a.test/x", "gopher://b.test/", "gopher is neither http nor https"),
            ("http://a.test/x", "http://", "the redirect leads nowhere"),
            ("http://a.test/x", "http://a.test:99999/", "the redirect leads nowhere"),
        ] {
            let error = asked(Method::GET, from).redirected(302, location).err().unwrap().to_string();
            assert!(error.contains(wanted) && !error.contains("secret"), "{from} -> {location}: {error}");
        }
    }

    #[test]
    fn what_frames_a_message_is_not_taken_from_outside() {
        let mut fetch = crate::outbound::tests::fetch("http://a.test/");
        for name in ["Connection", "Content-Length", "transfer-encoding", "TE", "upgrade", "x-mine"] {
            fetch.headers.push((name.to_owned(), "1".to_owned()));
        }
        assert_eq!(names(&Asked::first(&fetch).unwrap()), ["x-mine"]);
        for (name, value) in [("a b", "1"), ("", "1"), ("x", "a\r\nb: c"), ("x", "\0")] {
            fetch.headers = vec![(name.to_owned(), value.to_owned())];
            let error = Asked::first(&fetch).err().unwrap().to_string();
            assert!(error.contains("cannot be sent"), "{name:?} {value:?}: {error}");
        }
    }
}
