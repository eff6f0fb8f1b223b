//! `Idempotency-Key`: a repeated request gets the first answer again.

use std::{future::Future, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, request::Parts},
    response::Response,
};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    extract::JsonBytes,
    json::json_response,
    problem::{Code, Problem},
};
use crate::app::{
    AppError, Board,
    idempotency::{Answer, IdempotencyKey, MAX_KEY, Turn},
    tokens::Caller,
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a request is known by: 1 to 255 visible characters, with spaces between them, and with or without double quotes around
/// them.
#[derive(Clone, Debug, ToSchema)]
#[schema(pattern = "^(\"[ !#-~]{1,255}\"|[!#-~]([ !#-~]{0,253}[!#-~])?)$")]
pub(super) struct IdempotencyKeyText(#[expect(dead_code, reason = "only its description is of use")] String);

/// `Idempotency-Key`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is of use")]
pub struct OnceHeader {
    /// A request that is repeated has its effect once, and gets the first answer again; another request with the same key is
    /// refused.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<IdempotencyKeyText>,
}

/// The key of a request, if it has one.
#[derive(Clone, Debug)]
pub struct Once(Option<Keyed>);

#[derive(Clone, Debug)]
struct Keyed {
    key: String,
    method: Method,
    uri: Uri,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

impl Once {
    /// Reads the key.
    pub fn of(parts: &Parts) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(KEY) else { return Ok(Self(None)) };
        let Some(key) = value.to_str().ok().and_then(key_of) else {
            return Err(Problem::new(
                Code::BadRequest,
                format!("Idempotency-Key must be 1 to {MAX_KEY} visible characters"),
            ));
        };
        let caller = parts.extensions.get::<Caller>().map_or("", |caller| &caller.name);
        let uri = parts.uri.clone();
        Ok(Self(Some(Keyed { key: format!("{caller}\n{key}"), method: parts.method.clone(), uri })))
    }

    /// Does `work` unless it has been done. For effects in memory.
    ///
    /// Once begun it goes on without its client: else its key would be free though the effect is there, and who asks again would
    /// have it twice.
    pub async fn run<W, F>(self, state: &AppState, body: JsonBytes, work: W) -> Result<Response, Problem>
    where
        W: FnOnce(AppState, JsonBytes) -> F,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let Some(keyed) = self.0 else { return work(state.clone(), body).await };
        let key = keyed.with(&body.0);
        let ticket = match state.board.answers.turn(&key, state.board.clock.now()).await? {
            Turn::Repeat(answer) => return Ok(replay(answer)),
            Turn::First(ticket) => ticket,
        };
        let work = work(state.clone(), body);
        let done = tokio::spawn(async move {
            let response = work.await?;
            if !response.status().is_success() {
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .map_err(|e| Problem::new(Code::InternalError, e.to_string()))?;
            ticket.answer(Answer { status: parts.status.as_u16(), body: body.clone() });
            Ok(Response::from_parts(parts, body.into()))
        });
        done.await.map_err(|e| Problem::new(Code::InternalError, e.to_string()))?
    }

    /// Whether the request has a key. Who asks all the time does without the copies that [`Once::run`] needs.
    pub fn is_keyed(&self) -> bool {
        self.0.is_some()
    }

    /// Does `work` unless it has been done, also before a restart. `work` stores its answer with its effect. Once begun it goes
    /// on without its client: what is on its way to the disk cannot be called back, so its key must not be free before.
    pub async fn run_durable<W, F>(self, state: &AppState, body: &Bytes, work: W) -> Result<Response, Problem>
    where
        W: FnOnce(Arc<Board>, Option<IdempotencyKey>) -> F,
        F: Future<Output = Result<Answer, AppError>> + Send + 'static,
    {
        let board = Arc::clone(&state.board);
        let Some(keyed) = self.0 else { return Ok(fresh(work(board, None).await?)) };
        let key = keyed.with(body);
        let ticket = match state.board.answers.turn(&key, state.board.clock.now()).await? {
            Turn::Repeat(answer) => return Ok(replay(answer)),
            Turn::First(ticket) => ticket,
        };
        if let Some(answer) = state.board.answer_before(&key).await? {
            ticket.answer(answer.clone());
            return Ok(replay(answer));
        }
        let work = work(board, Some(key));
        let done = tokio::spawn(async move {
            let answer = work.await?;
            ticket.answer(answer.clone());
            Ok::<_, AppError>(answer)
        });
        Ok(fresh(done.await.map_err(|e| Problem::new(Code::InternalError, e.to_string()))??))
    }
}

/// The key in a header's value, where it may stand in double quotes.
fn key_of(value: &str) -> Option<&str> {
    let text = value.trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_key =
        (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"');
    is_key.then_some(key)
}

impl Keyed {
    fn with(self, body: &Bytes) -> IdempotencyKey {
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.uri.to_string().as_bytes(), body] {
            hash.update(u64::try_from(part.len()).unwrap_or_default().to_le_bytes());
            hash.update(part);
        }
        IdempotencyKey { key: self.key.into(), fingerprint: hash.finalize().into() }
    }
}

fn fresh(answer: Answer) -> Response {
    json_response(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), answer.body)
}

fn replay(answer: Answer) -> Response {
    let mut response = fresh(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
