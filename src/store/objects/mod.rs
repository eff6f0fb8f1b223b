//! An object store for the content of chunks: a directory, or a bucket that speaks S3's protocol.
//!
//! It is told by a marker that lies in it, not by where it is: a directory whose disk is not mounted, or a bucket that
//! was made anew, is not taken for one that has lost its objects.

mod bucket;
mod directory;

use std::{fmt, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use super::{
    StoreError,
    seal::{MAX_CHUNK, OVERHEAD},
};
use crate::domain::text::with_causes;
use bucket::Bucket;
use directory::Directory;

pub use bucket::{BucketPlace, Environment};

/// Name of the object that holds the store's id.
const MARKER: &str = "fuseboard-store";
/// Requests to a bucket at once.
const REQUESTS: usize = 32;
/// The most bytes of one object. What is larger is none of ours.
const LARGEST: u64 = (MAX_CHUNK + OVERHEAD) as u64;

/// Where objects lie.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// In a bucket.
    Bucket(BucketPlace),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket(place) => write!(f, "{place}"),
        }
    }
}

/// An object store. Puts and deletes are durable when they return.
#[derive(Clone, Debug)]
pub struct Objects {
    place: Arc<str>,
    backend: Backend,
    turns: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
enum Backend {
    Directory(Directory),
    Bucket(Bucket),
}

impl Objects {
    /// The store at this place; nothing is asked of it yet. Fails if the place cannot be used at all.
    pub fn new(place: &Place) -> Result<Self, StoreError> {
        let name: Arc<str> = place.to_string().into();
        let backend = match place {
            Place::Directory(path) => Backend::Directory(Directory::new(path.clone())),
            Place::Bucket(bucket) => {
                Backend::Bucket(Bucket::new(bucket).map_err(|error| failed(&name, &error))?)
            }
        };
        Ok(Self { place: name, backend, turns: Arc::new(Semaphore::new(REQUESTS)) })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The id that it was marked with.
    pub async fn marker(&self) -> Result<Option<String>, StoreError> {
        let Some(text) = self.get(MARKER).await? else { return Ok(None) };
        let id = String::from_utf8_lossy(&text).trim().to_owned();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(failed(&self.place, &format!("{MARKER} is not a marker of ours")));
        }
        Ok(Some(id))
    }

    /// Marks it with an id, unless it is marked.
    pub async fn mark(&self, id: &str) -> Result<(), StoreError> {
        let text = format!("{id}\n");
        match &self.backend {
            Backend::Directory(directory) => directory.mark(text).await.map_err(|e| failed(&self.place, &e)),
            Backend::Bucket(bucket) => {
                bucket.mark(text).await.map_err(|e| failed(&self.place, &with_causes(&e)))
            }
        }
    }

    /// Puts objects whose names were never used before.
    pub async fn put(&self, objects: Vec<(String, Bytes)>) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Directory(directory) => {
                directory.put(objects).await.map_err(|e| failed(&self.place, &e))
            }
            Backend::Bucket(bucket) => {
                let put = |(name, content): (String, Bytes)| async move {
                    let _turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
                    bucket.put(&name, content).await.map_err(|e| failed(&self.place, &with_causes(&e)))
                };
                stream::iter(objects).map(put).buffer_unordered(REQUESTS).try_collect().await
            }
        }
    }

    /// An object's content; `None` if there is none of that name.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.backend {
            Backend::Directory(directory) => {
                directory.get(name.to_owned()).await.map_err(|e| failed(&self.place, &e))
            }
            Backend::Bucket(bucket) => {
                let _turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
                bucket.get(name).await.map_err(|e| failed(&self.place, &with_causes(&e)))
            }
        }
    }

    /// Deletes objects; those that are not there as well.
    pub async fn delete(&self, names: Vec<String>) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Directory(directory) => {
                directory.delete(names).await.map_err(|e| failed(&self.place, &e))
            }
            Backend::Bucket(bucket) => {
                let delete = |name: String| async move {
                    let _turn = self.turns.acquire().await.map_err(|_| StoreError::Closed)?;
                    bucket.delete(&name).await.map_err(|e| failed(&self.place, &with_causes(&e)))
                };
                stream::iter(names).map(delete).buffer_unordered(REQUESTS).try_collect().await
            }
        }
    }
}

fn failed(place: &str, error: &(impl fmt::Display + ?Sized)) -> StoreError {
    StoreError::ObjectStore(format!("{place}: {error}"))
}
