//! Who may do what: bearer tokens with scopes.

use std::{fmt, str::FromStr, sync::Arc};

use foldhash::HashMap;
use jiff::Timestamp;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::{AppError, Board, text::hex};
use crate::{
    domain::Name,
    store::{
        StoreError, random,
        sqlite::tokens::{self, TokenRow},
    },
};

/// What a token allows. Each scope includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looking.
    Read,
    /// Guarding calls, declaring and changing resources.
    Write,
    /// Making and revoking tokens, and seeing secrets.
    Admin,
}

impl Scope {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        match raw {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            _ => Err(format!("unknown scope {raw:?}: use read, write or admin")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A secret that cannot be printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret, for showing it once or sending it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's name.
    pub name: Arc<str>,
    /// What it allows.
    pub scope: Scope,
}

/// A token as listed; its secret is known only to whoever made it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// By which it is revoked.
    pub id: String,
    /// What the operator called it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created_at: String,
    /// When it ends; null for never.
    pub expires_at: Option<String>,
}

/// A new token, with its secret for the only time.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewToken {
    /// The token to send as `Authorization: Bearer …`. It is not stored and cannot be shown again.
    pub token: String,
    /// The rest.
    #[serde(flatten)]
    pub view: TokenView,
}

#[derive(Debug)]
struct Known {
    hash: [u8; 32],
    caller: Caller,
    expires_at: Option<Timestamp>,
}

/// The tokens in force.
#[derive(Debug, Default)]
pub struct Tokens {
    known: RwLock<Arc<HashMap<String, Known>>>,
    fixed: RwLock<Option<[u8; 32]>>,
}

impl Tokens {
    /// Also accepts this token, with every right. It comes from the environment and is not stored.
    pub fn accept(&self, token: &Secret) {
        *self.fixed.write() = Some(hash(token.expose()));
    }

    /// Whether there is any token, and thus requests need one.
    #[must_use]
    pub fn required(&self) -> bool {
        self.fixed.read().is_some() || !self.known.read().is_empty()
    }

    /// Who presents this token; `None` if it is not valid.
    #[must_use]
    pub fn check(&self, token: &str, now: impl FnOnce() -> Timestamp) -> Option<Caller> {
        let presented = hash(token);
        if let Some(fixed) = &*self.fixed.read()
            && bool::from(fixed.ct_eq(&presented))
        {
            return Some(Caller { name: "environment".into(), scope: Scope::Admin });
        }
        let id = token.strip_prefix("fb_")?.split_once('_')?.0;
        let known = Arc::clone(&self.known.read());
        let known = known.get(id)?;
        let valid = bool::from(known.hash.ct_eq(&presented));
        let alive = known.expires_at.is_none_or(|end| now() < end);
        (valid && alive).then(|| known.caller.clone())
    }

    pub(super) fn replace(&self, rows: Vec<TokenRow>) {
        let known = rows.into_iter().filter_map(|row| {
            let known = Known {
                hash: row.hash.try_into().ok()?,
                caller: Caller { name: row.name.into(), scope: row.scopes.parse().ok()? },
                expires_at: match row.expires_at {
                    Some(end) => Some(end.parse().ok()?),
                    None => None,
                },
            };
            Some((row.id, known))
        });
        *self.known.write() = Arc::new(known.collect());
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes a token: the row to store, and the secret to show once.
pub fn token_make(
    name: &Name,
    scope: Scope,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<(TokenRow, Secret), StoreError> {
    let digits = hex(&random::<30>()?);
    let id = digits[..12].to_owned();
    let secret = format!("fb_{id}_{}", &digits[12..]);
    let row = TokenRow {
        id,
        name: name.as_str().to_owned(),
        hash: hash(&secret).to_vec(),
        scopes: scope.to_string(),
        created_at: created_at.to_string(),
        expires_at: expires_at.map(|end| end.to_string()),
    };
    Ok((row, Secret(secret)))
}

fn view(row: TokenRow) -> TokenView {
    TokenView {
        id: row.id,
        name: row.name,
        scope: row.scopes.parse().unwrap_or(Scope::Read),
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

impl Board {
    /// Reads the tokens from the store. Other processes (`fuseboard token`) may have changed them.
    pub async fn tokens_load(&self) -> Result<(), StoreError> {
        let rows = tokens::tokens_list(&self.store.readers).await?;
        self.tokens.replace(rows);
        Ok(())
    }

    /// All tokens.
    pub async fn token_list(&self) -> Result<Vec<TokenView>, AppError> {
        Ok(tokens::tokens_list(&self.store.readers).await?.into_iter().map(view).collect())
    }

    /// Makes a token.
    pub async fn token_create(
        &self,
        name: &Name,
        scope: Scope,
        expires_at: Option<Timestamp>,
    ) -> Result<NewToken, AppError> {
        let (row, secret) = token_make(name, scope, self.clock.wall(), expires_at)?;
        let stored = row.clone();
        self.store
            .writer
            .write(move |connection| Box::pin(async move { tokens::token_add(connection, &stored).await }))
            .await?;
        self.tokens_load().await?;
        Ok(NewToken { token: secret.expose().to_owned(), view: view(row) })
    }

    /// Revokes a token, at once.
    pub async fn token_revoke(&self, id: &str) -> Result<(), AppError> {
        let key = id.to_owned();
        let gone = self
            .store
            .writer
            .write(move |connection| Box::pin(async move { tokens::token_delete(connection, &key).await }))
            .await?;
        if !gone {
            return Err(AppError::NotFound { resource: "token", name: id.to_owned() });
        }
        self.tokens_load().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_checked_by_its_hash_scope_and_end() {
        let name = Name::try_from("ops").unwrap();
        let end = Timestamp::from_second(100).unwrap();
        let (row, secret) = token_make(&name, Scope::Write, Timestamp::UNIX_EPOCH, Some(end)).unwrap();
        assert!(!format!("{row:?}").contains(secret.expose()));
        assert!(!format!("{secret:?}").contains(secret.expose()));
        let tokens = Tokens::default();
        assert!(!tokens.required());
        tokens.replace(vec![row]);
        assert!(tokens.required());
        let at = |second| move || Timestamp::from_second(second).unwrap();
        let caller = tokens.check(secret.expose(), at(99)).unwrap();
        assert_eq!((&*caller.name, caller.scope), ("ops", Scope::Write));
        assert!(tokens.check(secret.expose(), at(100)).is_none());
        let mut forged = secret.expose().to_owned();
        forged.pop();
        for bad in ["", "fb_", "fb__", "Bearer", forged.as_str(), &format!("{}0", secret.expose())] {
            assert!(tokens.check(bad, at(0)).is_none(), "{bad}");
        }
        assert!(Scope::Admin > Scope::Write && Scope::Write > Scope::Read);
    }
}
