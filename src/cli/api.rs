//! The server as the commands ask it: address, token, and what can go wrong on the way.

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use clap::Args;

use reqwest::{Body, Client, Method, Response, StatusCode};
use serde_json::Value;

use super::transfer::Meter;

/// The exit status when the server could not be asked, or would not answer the question.
pub const EXIT_NOT_ASKED: u8 = 2;

/// A stream ends when one side wants it to.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Where the server is, and who asks.
#[derive(Clone, Debug, Args)]
pub struct ApiArgs {
    /// Base address of the server
    #[arg(long, global = true, env = "FUSEBOARD_URL", default_value = "http://127.0.0.1:7077")]
    pub url: String,
    /// Bearer token; better in the environment than here
    #[arg(long, global = true, env = "FUSEBOARD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Seconds to wait for an answer
    #[arg(long, global = true, default_value_t = 30, value_name = "SECONDS")]
    pub timeout: u16,
}

/// A server to ask.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<String>,
    patience: Duration,
}

impl Api {
    /// Ready to ask; nothing has been sent yet.
    pub fn new(args: &ApiArgs) -> Result<Self, String> {
        let base = args.url.trim_end_matches('/').to_owned();
        let patience = Duration::from_secs(u64::from(args.timeout.max(1)));
        let client = client(&base, patience)?;
        Ok(Self { client, base, patience, token: args.token.clone().filter(|token| !token.is_empty()) })
    }

    /// Sends a request; the body of the answer. `query` is encoded here, `path` is not. An error says what the server
    /// said.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<String, String> {
        let (status, text) = self.exchange(method, path, query, body.map(Value::to_string)).await?;
        if status.is_success() { Ok(text) } else { Err(self.refusal(path, status, &text)) }
    }

    /// Sends a request with a body in JSON; the status and the body of the answer, whatever they are. An error says why
    /// there is no answer.
    pub async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<String>,
    ) -> Result<(StatusCode, String), String> {
        let url = format!("{}{path}", self.base);
        let mut request = self.request(method, path, query)?;
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.map_err(|e| format!("{url}: {}", root_cause(&e)))?;
        let status = answer.status();
        Ok((status, answer.text().await.map_err(|e| format!("{url}: {}", root_cause(&e)))?))
    }

    /// What an answer says that is no success.
    pub fn refusal(&self, path: &str, status: StatusCode, text: &str) -> String {
        let problem: Value = serde_json::from_str(text).unwrap_or_default();
        match problem["detail"].as_str() {
            Some(detail) => format!("{status}: {detail}"),
            None => format!("{}{path}: {status}", self.base),
        }
    }

    /// Like [`send`](Self::send), for an answer in JSON.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let text = self.send(method, path, query, body).await?;
        serde_json::from_str(&text).map_err(|e| format!("{}{path}: {e}", self.base))
    }
}

impl Api {
    /// All pages of a list.
    pub async fn list(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<Value>, String> {
        Ok(self.list_most(path, query, usize::MAX).await?.0)
    }

    /// The pages of a list until there are so many items; whether there are more.
    pub async fn list_most(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> Result<(Vec<Value>, bool), String> {
        let mut query = query.to_vec();
        query.push(("limit", "1000".to_owned()));
        let mut items = Vec::new();
        loop {
            let page = self.ask(Method::GET, path, &query, None).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok((items, false)) };
            if items.len() >= most {
                return Ok((items, true));
            }
            query.retain(|(key, _)| *key != "cursor");
            query.push(("cursor", cursor.to_owned()));
        }
    }

    /// Opens a stream of events, after the event of that id.
    pub async fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        after: Option<&str>,
    ) -> Result<Response, String> {
        let mut request = self.request(Method::GET, path, query)?.timeout(FOREVER);
        request = request.header("accept", "text/event-stream");
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.map_err(|e| format!("{}{path}: {}", self.base, root_cause(&e)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        Err(self.refusal(path, status, &text))
    }

    /// Begins an exchange that may take as long as it goes on. The length of the body is sent if it is known.
    pub async fn transfer(
        &self,
        method: Method,
        path: &str,
        body: Option<(Body, Option<u64>)>,
        meter: &Meter,
    ) -> Result<Response, String> {
        let url = format!("{}{path}", self.base);
        let mut request = self.request(method, path, &[])?.timeout(FOREVER);
        if let Some((body, length)) = body {
            request = request.header("content-type", "application/json").body(body);
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
        }
        let sent = async { request.send().await.map_err(|e| format!("{url}: {}", root_cause(&e))) };
        let answer = meter.patiently(self.patience, sent).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.map_err(|e| format!("{url}: {}", root_cause(&e)))?;
        Err(self.refusal(path, status, &text))
    }

    /// The next bytes of an answer.
    pub async fn piece(&self, answer: &mut Response, meter: &Meter) -> Result<Option<Bytes>, String> {
        let next = async { answer.chunk().await.map_err(|e| format!("{}: {}", self.base, root_cause(&e))) };
        let piece = meter.patiently(self.patience, next).await?;
        meter.add(piece.as_ref().map_or(0, Bytes::len));
        Ok(piece)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<reqwest::RequestBuilder, String> {
        let url = format!("{}{path}", self.base);
        let mut address = reqwest::Url::parse(&url).map_err(|e| format!("{url}: {e}"))?;
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, address);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }
}

/// Runs a command that asks the server. Its own exit status says what was answered; [`EXIT_NOT_ASKED`], that nothing
/// was.
pub fn run(args: &ApiArgs, command: impl AsyncFnOnce(Api) -> Result<ExitCode, String>) -> ExitCode {
    let result = Api::new(args).and_then(|api| super::runtime(1)?.block_on(command(api)));
    result.unwrap_or_else(|message| {
        super::complain(&message);
        ExitCode::from(EXIT_NOT_ASKED)
    })
}

/// A client for one server.
pub fn client(base: &str, timeout: Duration) -> Result<Client, String> {
    // A second installation of the provider is refused and harmless.
    drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
    let mut builder = Client::builder().timeout(timeout);
    if base.starts_with("http://") {
        // Without this, a container without any root certificates could not even ask by plain HTTP.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|e| format!("cannot make requests: {e}"))
}

/// The innermost reason: what reqwest says itself repeats the address and leaves the reason out.
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
