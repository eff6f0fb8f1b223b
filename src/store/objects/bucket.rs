//! A bucket of Amazon S3, or of what speaks its protocol.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
};
use url::Url;

use super::{LARGEST, MARKER};
use crate::domain::text::with_causes;

/// One request, from its beginning to the last byte of its answer.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request is repeated that failed for no fault of its own, and until when.
const RETRIES: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a bucket is, and how to get in.
#[derive(Clone, Debug, Default)]
pub struct BucketPlace {
    /// Its name.
    pub bucket: String,
    /// What all names begin with; empty, or without a slash at either end.
    pub prefix: String,
    /// URL of the service; that of Amazon if left out.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Whether it may be asked without TLS.
    pub allow_http: Option<bool>,
    /// Whether the bucket stands in the host's name, and not in the path.
    pub virtual_hosted: bool,
    /// The environment's `AWS_…`: credentials, region, endpoint.
    pub environment: Environment,
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " at {endpoint}"))
    }
}

/// Variables whose values cannot be printed.
#[derive(Clone, Default)]
pub struct Environment(pub Vec<(String, String)>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl Bucket {
    pub(super) fn new(place: &BucketPlace) -> Result<Self, String> {
        // Its HTTP client takes the process's provider; a server has none yet.
        drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
        let store = builder(place).build().map_err(|error| with_causes(&error))?;
        Ok(Self { store: Arc::new(store), prefix: place.prefix.clone() })
    }

    pub(super) async fn mark(&self, text: String) -> Result<(), Error> {
        let payload = PutPayload::from(text.into_bytes());
        match self.store.put_opts(&self.path(MARKER), payload, PutMode::Create.into()).await {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put(&self, name: &str, content: Bytes) -> Result<(), Error> {
        self.store.put(&self.path(name), content.into()).await.map(drop)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let found = match self.store.get(&self.path(name)).await {
            Ok(found) => found,
            Err(Error::NotFound { source, .. }) if is_no_such_key(&with_causes(&*source)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if found.meta.size > LARGEST {
            // None of ours; as no chunk is empty, this is refused as damaged.
            return Ok(Some(Vec::new()));
        }
        found.bytes().await.map(|bytes| Some(bytes.into()))
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn path(&self, name: &str) -> Path {
        if self.prefix.is_empty() { Path::from(name) } else { Path::from(format!("{}/{name}", self.prefix)) }
    }
}

/// A bucket that is not there is 404 as well, and no reason to think that an object is lost.
fn is_no_such_key(text: &str) -> bool {
    !text.contains("NoSuchBucket")
}

fn builder(place: &BucketPlace) -> AmazonS3Builder {
    let options = ClientOptions::new().with_timeout(TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new().with_client_options(options).with_retry(retry);
    for (name, value) in &place.environment.0 {
        // Other variables that begin alike are not for us, such as AWS_PROFILE.
        if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_bucket_name(&place.bucket);
    if place.virtual_hosted {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    if let Some(allow) = place.allow_http {
        builder = builder.with_allow_http(allow);
    }
    if let Some(region) = &place.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &place.endpoint {
        let endpoint =
            if place.virtual_hosted { with_host(endpoint, &place.bucket) } else { endpoint.clone() };
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    builder
}

/// The endpoint of a bucket that stands in the host's name.
fn with_host(endpoint: &str, bucket: &str) -> String {
    let Ok(mut url) = Url::parse(endpoint) else { return endpoint.to_owned() };
    let host = url.host_str().map(|host| format!("{bucket}.{host}"));
    if url.set_host(host.as_deref()).is_err() {
        return endpoint.to_owned();
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_where_it_is_and_no_secret() {
        let place = BucketPlace {
            bucket: "b".into(),
            prefix: "p/q".into(),
            endpoint: Some("http://localhost:9000".into()),
            environment: Environment(vec![("AWS_SECRET_ACCESS_KEY".into(), "hunter2".into())]),
            ..BucketPlace::default()
        };
        assert_eq!(place.to_string(), "s3://b/p/q at http://localhost:9000");
        assert!(!format!("{place:?}").contains("hunter2"));
        assert_eq!(with_host("https://s3.example.com:9000", "b"), "https://b.s3.example.com:9000/");
        let bucket = Bucket::new(&place);
        assert!(bucket.unwrap_err().contains("AccessKeyId"), "a secret without its id");
    }
}
