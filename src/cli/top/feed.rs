//! What comes from the server: the stream of events, and the answers to what is read and done.

use std::time::Duration;

use fuseboard::{clock::Clock, domain::Name};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{board::Session, kind::Kind, list::Read, prompt::Post, view::Entry};
use crate::cli::{api::Api, sse::Parser};

/// The server says something every fifteen seconds at least.
const SILENCE: Duration = Duration::from_secs(33);
const FIRST_RETRY: Duration = Duration::from_millis(300);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// News that wait to be looked at. A flood waits at the server.
const WAITING: usize = 1024;
/// More of a kind nobody reads, and they would have to be in memory.
const MOST: usize = 20_000;
/// So many events and transitions are read to begin with.
const PAST: &str = "500";
const PAST_TRANSITIONS: &str = "1000";

/// News.
#[derive(Debug)]
pub enum Heard {
    /// The stream is there.
    Connected,
    /// Somebody is there.
    Beat,
    Event(Value),
    /// Events are missing.
    Gap,
    /// The stream is gone.
    Lost(String),
    /// What happened before.
    Past(Vec<Value>),
    Session(Session),
    /// A list, and when it was asked for.
    List(Kind, f64, Result<(Vec<Value>, bool), String>),
    /// A resource; none if it is not there.
    One(Kind, String, Result<Option<Value>, String>),
    /// What was read besides of what is looked at closely.
    Detail(Entry, Result<Value, String>),
    Done(Post, Result<Value, String>),
}

/// Asks, and tells what comes.
#[derive(Clone, Debug)]
pub struct Feed {
    api: Api,
    clock: Clock,
    news: mpsc::Sender<Heard>,
}

/// Steady time in seconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds are exact for centuries")]
pub fn seconds(clock: &Clock) -> f64 {
    clock.now().as_nanos() as f64 / 1e9
}

impl Feed {
    /// Begins to follow what happens.
    pub fn begin(api: Api, clock: Clock) -> (Self, mpsc::Receiver<Heard>) {
        let (news, heard) = mpsc::channel(WAITING);
        let feed = Self { api, clock, news };
        tokio::spawn(feed.clone().follow());
        (feed, heard)
    }

    async fn follow(self) {
        let mut last = None;
        let mut wait = FIRST_RETRY;
        loop {
            let why = match self.api.stream("/v1/events", &[], last.as_deref()).await {
                Ok(stream) => {
                    wait = FIRST_RETRY;
                    self.listen(stream, &mut last).await
                }
                Err(why) => why,
            };
            if self.news.send(Heard::Lost(why)).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_RETRY);
        }
    }

    /// Tells what happens until the stream ends; why it does.
    async fn listen(&self, mut stream: Response, last: &mut Option<String>) -> String {
        self.tell(Heard::Connected).await;
        // Who may do what can have changed with the server.
        self.recall();
        let mut parser = Parser::default();
        loop {
            let bytes = match tokio::time::timeout(SILENCE, stream.chunk()).await {
                Err(_) => return format!("nothing was heard for {} s", SILENCE.as_secs()),
                Ok(Err(error)) => return error.to_string(),
                Ok(Ok(None)) => return "the server has ended the connection".to_owned(),
                Ok(Ok(Some(bytes))) => bytes,
            };
            self.tell(Heard::Beat).await;
            let messages = match parser.feed(&bytes) {
                Ok(messages) => messages,
                Err(error) => return error,
            };
            for message in messages {
                if !message.id.is_empty() {
                    *last = Some(message.id);
                }
                if message.event == "gap" {
                    self.tell(Heard::Gap).await;
                } else if let Ok(event) = serde_json::from_str(&message.data) {
                    self.tell(Heard::Event(event)).await;
                }
            }
        }
    }

    /// Who is not there any more needs no news.
    async fn tell(&self, news: Heard) {
        drop(self.news.send(news).await);
    }

    /// Asks who this is, and what happened before.
    fn recall(&self) {
        let feed = self.clone();
        tokio::spawn(async move {
            if let Ok(view) = feed.api.ask(Method::GET, "/v1/tokens/self", &[], None).await {
                feed.tell(Heard::Session(Session::of(&view))).await;
            }
            let transitions = ("kind", "breaker.transition".to_owned());
            for query in
                [vec![transitions, ("limit", PAST_TRANSITIONS.to_owned())], vec![("limit", PAST.to_owned())]]
            {
                // It is read again with the next connection; until then less is known of the past.
                if let Ok(mut page) = feed.api.ask(Method::GET, "/v1/events", &query, None).await
                    && let Value::Array(events) = page["items"].take()
                {
                    feed.tell(Heard::Past(events)).await;
                }
            }
        });
    }

    /// Reads something.
    pub fn read(&self, read: Read) {
        let feed = self.clone();
        tokio::spawn(async move {
            let news = match read {
                Read::All(kind) => {
                    let began = seconds(&feed.clock);
                    let query: Vec<_> =
                        kind.filter().iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
                    Heard::List(kind, began, feed.api.list_most(kind.path(), &query, MOST).await)
                }
                Read::One(kind, name) => {
                    let answer = feed.one(kind, &name).await;
                    Heard::One(kind, name, answer)
                }
            };
            feed.tell(news).await;
        });
    }

    async fn one(&self, kind: Kind, name: &str) -> Result<Option<Value>, String> {
        if !Name::is_valid(name) {
            return Ok(None);
        }
        let path = format!("{}/{name}", kind.path());
        match self.api.exchange(Method::GET, &path, &[], None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, text) if status.is_success() => {
                serde_json::from_str(&text).map(Some).map_err(|error| error.to_string())
            }
            (status, text) => Err(self.api.refusal(&path, status, &text)),
        }
    }

    /// Reads more about what is looked at closely.
    pub fn look(&self, entry: Entry, path: String) {
        let feed = self.clone();
        tokio::spawn(async move {
            let answer = feed.api.ask(Method::GET, &path, &[], None).await;
            feed.tell(Heard::Detail(entry, answer)).await;
        });
    }

    /// Does something.
    pub fn post(&self, post: Post) {
        let feed = self.clone();
        tokio::spawn(async move {
            let answer = feed.api.ask(Method::POST, &post.path, &[], Some(&post.body)).await;
            feed.tell(Heard::Done(post, answer)).await;
        });
    }
}
