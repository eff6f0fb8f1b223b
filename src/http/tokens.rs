//! `/v1/tokens`: making and revoking bearer tokens needs the scope `admin`; asking about one's own does not.

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    extract::{JsonBytes, RawPath},
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::tokens::{Caller, NewToken, Scope, TokenView},
    domain::{Name, Seconds},
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(token_list, token_create))
        .routes(routes!(token_self))
        .routes(routes!(token_revoke))
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    /// Oldest first.
    items: Vec<TokenView>,
    /// Always null: there is one page.
    next_cursor: Option<String>,
}

/// Lists tokens, without their secrets.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens",
    responses((status = 200, description = "All tokens.", body = TokenList)))]
async fn token_list(State(state): State<AppState>) -> Result<Json<TokenList>, Problem> {
    Ok(Json(TokenList { items: state.board.token_list().await?, next_cursor: None }))
}

/// Who asks, and what that allows.
#[derive(Debug, Serialize, ToSchema)]
struct TokenSelf {
    /// The name of the token; null if none is needed.
    name: Option<String>,
    /// What may be done.
    scope: Scope,
    /// Whether requests need a token.
    required: bool,
}

/// Who asks, and what that allows. Needs the scope `read`.
#[utoipa::path(get, path = "/v1/tokens/self", tag = "tokens",
    responses((status = 200, description = "The token that came with the request.", body = TokenSelf)))]
async fn token_self(State(state): State<AppState>, caller: Option<Extension<Caller>>) -> Json<TokenSelf> {
    let required = state.board.tokens.required();
    Json(match caller {
        Some(Extension(caller)) => {
            TokenSelf { name: Some(caller.name.as_ref().to_owned()), scope: caller.scope, required }
        }
        // Nobody is let in here without a token, unless everybody may do everything.
        None => TokenSelf { name: None, scope: Scope::Admin, required },
    })
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    /// What to call it.
    name: Name,
    /// What it allows.
    scope: Scope,
    /// How long it lives; for ever if left out.
    #[serde(default)]
    expires_in_seconds: Option<Seconds>,
}

/// Makes a token and shows its secret for the only time. From then on, every request needs a token.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, description = "The token.", body = NewToken)))]
async fn token_create(State(state): State<AppState>, body: JsonBytes) -> Result<Response, Problem> {
    let ask: TokenBody = body.parse()?;
    let expires_at = match ask.expires_in_seconds {
        Some(span) => Some(
            state
                .board
                .clock
                .wall()
                .checked_add(span.get())
                .map_err(|_| Problem::invalid("expires_in_seconds", "is too long"))?,
        ),
        None => None,
    };
    let token = state.board.token_create(&ask.name, ask.scope, expires_at).await?;
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

/// Revokes a token at once.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The token's `id`.")),
    responses((status = 204, description = "Revoked.")))]
async fn token_revoke(State(state): State<AppState>, RawPath(id): RawPath) -> Result<StatusCode, Problem> {
    state.board.token_revoke(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
