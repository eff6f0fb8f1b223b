//! A directory as object store. `object_store` has one too; it leaves half-written files behind under names that it then
//! refuses to delete, and syncs a directory for each file.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{LARGEST, MARKER};

#[derive(Clone, Debug)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) async fn mark(&self, text: String) -> io::Result<()> {
        let root = self.root.clone();
        blocking(move || {
            make_directory(&root)?;
            // Never seen half written, and never replaced.
            let draft = root.join(format!("{MARKER}.{}", text.trim()));
            write(&draft, text.as_bytes())?;
            let linked = fs::hard_link(&draft, root.join(MARKER));
            fs::remove_file(&draft)?;
            sync(&root)?;
            linked.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        })
        .await
    }

    pub(super) async fn put(&self, objects: Vec<(String, Bytes)>) -> io::Result<()> {
        let root = self.root.clone();
        blocking(move || {
            // A disk that is not mounted any more must not be written beside.
            if !root.join(MARKER).try_exists()? {
                return Err(io::Error::other(format!("{MARKER} is gone; is the disk mounted?")));
            }
            let mut folders = BTreeSet::new();
            for (name, content) in &objects {
                let path = root.join(name);
                let folder = parent(&path)?;
                if folders.insert(folder.to_owned()) && !folder.is_dir() {
                    make_directory(folder)?;
                }
                write(&path, content)?;
            }
            folders.iter().try_for_each(|folder| sync(folder))
        })
        .await
    }

    pub(super) async fn get(&self, name: String) -> io::Result<Option<Vec<u8>>> {
        let path = self.root.join(name);
        blocking(move || {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut content = Vec::new();
            // One byte more shows that it is too large, and is refused as damaged.
            file.take(LARGEST + 1).read_to_end(&mut content)?;
            Ok(Some(content))
        })
        .await
    }

    pub(super) async fn delete(&self, names: Vec<String>) -> io::Result<()> {
        let root = self.root.clone();
        blocking(move || {
            let mut folders = BTreeSet::new();
            for name in names {
                let path = root.join(name);
                match fs::remove_file(&path) {
                    Ok(()) => {
                        folders.insert(parent(&path)?.to_owned());
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            folders.iter().try_for_each(|folder| sync(folder))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))
}

/// Makes a directory, and those above it, so that they outlive a power failure.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path)?;
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    make_directory(above)?;
    match new_directory().create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync(above),
    }
}

/// Backups are nobody else's business.
fn new_directory() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Names are never used twice, so what has this name already is what an attempt before this one left.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn objects_come_back_and_go_and_a_disk_that_is_not_mounted_is_told() {
        let dir = tempfile::TempDir::new().unwrap();
        let root = dir.path().join("a/b");
        let store = Directory::new(root.clone());
        let object = |name: &str| (name.to_owned(), Bytes::from(name.to_owned()));
        assert!(store.put(vec![object("0f/x")]).await.unwrap_err().to_string().contains("mounted"));
        assert_eq!(store.get(MARKER.to_owned()).await.unwrap(), None);
        store.mark("one\n".to_owned()).await.unwrap();
        store.mark("two\n".to_owned()).await.unwrap();
        assert_eq!(store.get(MARKER.to_owned()).await.unwrap().unwrap(), b"one\n");
        store.put(vec![object("0f/x"), object("0f/y"), object("10/z")]).await.unwrap();
        assert_eq!(store.get("0f/y".to_owned()).await.unwrap().unwrap(), b"0f/y");
        store.delete(vec!["0f/x".to_owned(), "0f/x".to_owned(), "11/none".to_owned()]).await.unwrap();
        assert_eq!(store.get("0f/x".to_owned()).await.unwrap(), None);
        let left = |folder: &str| fs::read_dir(root.join(folder)).unwrap().count();
        assert_eq!((left(""), left("0f"), left("10")), (3, 1, 1));
        fs::write(root.join("10/large"), vec![0; 400_000]).unwrap();
        assert_eq!(store.get("10/large".to_owned()).await.unwrap().unwrap().len() as u64, LARGEST + 1);
        fs::remove_file(root.join(MARKER)).unwrap();
        assert!(store.put(vec![object("0f/w")]).await.is_err());
    }
}
