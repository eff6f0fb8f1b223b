//! Documents from files and standard input: checked as they are sent, and never in memory as a whole.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use fuseboard::domain::scan::{Document, ScanError, ScanLimits, Scanner};
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::cli::transfer::Meter;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// Pieces that wait to be sent.
const PIECES: usize = 4;
/// The server's own limits say more; these only keep what is no document from being read to its end.
const LIMITS: ScanLimits = ScanLimits { depth: 128, envelope: 64 << 10, documents: 1 << 20, key: 1 << 10 };

/// A document, or an object of them.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its key; none if it is the object that holds all.
    key: Option<String>,
    /// Where it is; none for standard input.
    path: Option<PathBuf>,
}

impl Source {
    /// A file as the object that holds all documents; `-` for standard input.
    pub fn whole(path: &Path) -> Self {
        Self { key: None, path: (path.as_os_str() != "-").then(|| path.to_owned()) }
    }

    /// `FILE`, `KEY=FILE`, `KEY=-`, or `-` for an object with all documents.
    fn parse(text: &str) -> Result<Self, String> {
        let path = |text: &str| (text != "-").then(|| PathBuf::from(text));
        if text == "-" {
            return Ok(Self { key: None, path: None });
        }
        if let Some((key, file)) = text.split_once('=')
            && !key.contains('/')
        {
            return Ok(Self { key: Some(key.to_owned()), path: path(file) });
        }
        let name = Path::new(text).file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| format!("{text} has no name that could be a key; give KEY=FILE"))?;
        let key = name.strip_suffix(".json").unwrap_or(name);
        Ok(Self { key: Some(key.to_owned()), path: path(text) })
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
    }

    /// Its length, if it is a file.
    fn length(&self) -> Option<u64> {
        let file = fs::metadata(self.path.as_ref()?).ok()?;
        file.is_file().then_some(file.len())
    }
}

/// The sources that were named: documents with keys of their own, or one object with all of them.
pub fn sources(texts: &[String]) -> Result<Vec<Source>, String> {
    let sources: Vec<_> = texts.iter().map(|text| Source::parse(text)).collect::<Result<_, _>>()?;
    if sources.len() > 1 && sources.iter().any(|source| source.key.is_none()) {
        return Err("`-` is an object with all documents; as one of several give KEY=-".to_owned());
    }
    if sources.iter().filter(|source| source.path.is_none()).count() > 1 {
        return Err("there is only one standard input".to_owned());
    }
    let mut keys = BTreeSet::new();
    if let Some(twice) =
        sources.iter().filter_map(|source| source.key.as_ref()).find(|key| !keys.insert(*key))
    {
        return Err(format!("the key {twice:?} is given twice"));
    }
    Ok(sources)
}

/// A body on its way.
pub struct Sending {
    /// It.
    pub body: reqwest::Body,
    /// Its length, if that is known before.
    pub length: Option<u64>,
    /// How far it is.
    pub meter: Arc<Meter>,
    fault: Arc<Mutex<Option<String>>>,
}

impl Sending {
    /// Why it broke off, if that was here.
    pub fn fault(fault: &Mutex<Option<String>>) -> Option<String> {
        fault.lock().take()
    }

    /// Where [`fault`](Self::fault) looks.
    pub fn watch(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.fault)
    }

    /// Begins: `head`, an object without its last brace, gets the field `field` with the documents.
    pub fn begin(head: &str, field: &str, sources: Vec<Source>) -> Self {
        let comma = if head == "{" { "" } else { "," };
        let mut steps = vec![Step::Text(format!("{head}{comma}\"{field}\":"))];
        let is_whole = matches!(&sources[..], [Source { key: None, .. }]);
        if !is_whole {
            steps.push(Step::Text("{".to_owned()));
        }
        for (n, source) in sources.into_iter().enumerate() {
            if let Some(key) = &source.key {
                let comma = if n == 0 { "" } else { "," };
                steps.push(Step::Text(format!("{comma}{}:", serde_json::Value::from(key.as_str()))));
            }
            steps.push(Step::Source(source));
        }
        steps.push(Step::Text(if is_whole { "}" } else { "}}" }.to_owned()));
        let length = steps.iter().map(Step::length).sum();
        let meter = Arc::new(Meter::new(length));
        let fault = Arc::<Mutex<Option<String>>>::default();
        let (sender, pieces) = mpsc::channel(PIECES);
        let (counted, told) = (Arc::clone(&meter), Arc::clone(&fault));
        // Not one of the runtime's: a read of standard input that never ends must not keep the command from ending.
        thread::spawn(move || {
            let mut send = |piece: Bytes| {
                counted.add(piece.len());
                sender.blocking_send(Ok(piece)).map_err(|_| String::new())
            };
            let done = steps.into_iter().try_for_each(|step| step.run(&mut send));
            if let Err(message) = done
                && !message.is_empty()
            {
                *told.lock() = Some(message.clone());
                drop(sender.blocking_send(Err(io::Error::other(message))));
            }
        });
        let next = async |mut pieces: mpsc::Receiver<_>| pieces.recv().await.map(|piece| (piece, pieces));
        let body = reqwest::Body::wrap_stream(stream::unfold(pieces, next));
        Self { body, length, meter, fault }
    }
}

enum Step {
    Text(String),
    Source(Source),
}

impl Step {
    fn length(&self) -> Option<u64> {
        match self {
            Self::Text(text) => Some(text.len() as u64),
            Self::Source(source) => source.length(),
        }
    }

    /// Passes its bytes on. An empty error: nobody takes them any more.
    fn run(self, send: &mut impl FnMut(Bytes) -> Result<(), String>) -> Result<(), String> {
        match self {
            Self::Text(text) => send(text.into()),
            Self::Source(source) => {
                let unreadable = |error| format!("{}: {error}", source.name());
                match &source.path {
                    Some(path) => copy(&source, &mut File::open(path).map_err(unreadable)?, send),
                    None => copy(&source, &mut io::stdin().lock(), send),
                }
            }
        }
    }
}

fn copy(
    source: &Source,
    from: &mut impl Read,
    send: &mut impl FnMut(Bytes) -> Result<(), String>,
) -> Result<(), String> {
    let told = |what: &dyn std::fmt::Display| format!("{}: {what}", source.name());
    let mut check = Check::new(source.key.is_none());
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        from.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(|error| told(&error))?;
        if piece.is_empty() {
            return check.finish().map_err(|message| told(&message));
        }
        check.feed(&piece).map_err(|message| told(&message))?;
        send(piece.into())?;
    }
}

/// Sees to it that a source is one document and no more: what followed it would become other fields of the request.
struct Check {
    scanner: Scanner,
    is_whole: bool,
}

impl Check {
    fn new(is_whole: bool) -> Self {
        let mut check = Self { scanner: Scanner::new("data", LIMITS), is_whole };
        // The beginning of an object is no fault.
        drop(check.feed(check.around().0.as_bytes()));
        check
    }

    /// What stands around it.
    const fn around(&self) -> (&'static str, &'static str) {
        if self.is_whole { ("{\"data\":", "}") } else { ("{\"data\":{\"k\":", "}}") }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.scanner.feed(bytes, &mut |_| ()).map_err(|error| match error {
            ScanError::BadJson { offset, message } => {
                let offset = offset.saturating_sub(self.around().0.len() as u64);
                format!("no JSON: {message} at byte {offset}")
            }
            error => error.to_string(),
        })
    }

    fn finish(mut self) -> Result<(), String> {
        self.feed(self.around().1.as_bytes())?;
        let is_whole = self.is_whole;
        let scanned = match self.scanner.finish() {
            Ok(scanned) => scanned,
            Err(ScanError::BadJson { message, .. }) => return Err(format!("no JSON: {message}")),
            Err(error) => return Err(error.to_string()),
        };
        let rest: Vec<u8> = scanned.envelope.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let documents = scanned.documents.unwrap_or_default();
        let is_one = is_whole || matches!(&documents[..], [Document { key, .. }] if key == "k");
        if rest == b"{\"data\":null}" && is_one { Ok(()) } else { Err("more than one document".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_whole: bool, text: &str) -> Result<(), String> {
        let mut check = Check::new(is_whole);
        for piece in text.as_bytes().chunks(3) {
            check.feed(piece)?;
        }
        check.finish()
    }

    #[test]
    fn a_source_is_one_document_and_nothing_else() {
        for good in ["1", " {\"a\": [1.10]}\n", "\"x\"", "null"] {
            assert_eq!(check(false, good), Ok(()), "{good}");
        }
        for bad in ["", " ", "1 2", "1,\"x\":2", "1},\"pinned\":true,\"y\":{\"k\":1", "{", "NaN", "1}", "[1"]
        {
            assert!(check(false, bad).is_err(), "{bad}");
        }
        for good in ["{}", "{\"a\":1,\"b\":{}}\n"] {
            assert_eq!(check(true, good), Ok(()), "{good}");
        }
        for bad in ["", "1", "[]", "{},\"pinned\":true", "{\"a\":1", "{}{}", "{\"a\":1}}"] {
            assert!(check(true, bad).is_err(), "{bad}");
        }
        assert!(check(false, "[1,x]").unwrap_err().contains("at byte 3"));
    }

    #[test]
    fn keys_are_given_or_come_from_names() {
        let parse = |text| Source::parse(text).map(|source| (source.key, source.path));
        let key = |key: &str, path: &str| Ok((Some(key.to_owned()), Some(PathBuf::from(path))));
        assert_eq!(parse("state.json"), key("state", "state.json"));
        assert_eq!(parse("a/b.json"), key("b", "a/b.json"));
        assert_eq!(parse("trades"), key("trades", "trades"));
        assert_eq!(parse("portfolio=a/b.json"), key("portfolio", "a/b.json"));
        assert_eq!(parse("./x=y.json"), key("x=y", "./x=y.json"));
        assert_eq!(parse("k=-"), Ok((Some("k".to_owned()), None)));
        assert_eq!(parse("-"), Ok((None, None)));
        let all = |texts: &[&str]| sources(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert!(all(&["a.json", "b=a.json"]).is_ok());
        for bad in [&["-", "a.json"][..], &["a.json", "x/a.json"], &["a=-", "b=-"]] {
            assert!(all(bad).is_err(), "{bad:?}");
        }
    }
}
