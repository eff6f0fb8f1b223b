//! The action `create_backup`: the board's own document, or what an application serves.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde_json::json;

use super::{Done, reason};
use crate::{
    app::{
        AppError, Board,
        backups::{BackupView, NewBackup},
    },
    domain::{
        Name,
        backup::Origin,
        check::Labels,
        schedule::{BackupSource, Target},
    },
    outbound::Fetch,
};

/// The most bytes of state that are fetched. They are in memory meanwhile, so few are fetched at once.
const MOST: usize = 64 << 20;
/// The most redirects that are followed.
const REDIRECTS: u8 = 5;
/// The status with which an application serves its state.
const OK: u16 = 200;

impl Board {
    /// Makes a backup for a schedule; its view is the run's output.
    pub(super) async fn create_backup_action(
        self: &Arc<Self>,
        schedule: &Name,
        backup_type: &Name,
        source: &BackupSource,
        labels: &Labels,
    ) -> Done {
        // No token's name has a space in it.
        let actor = Some(Arc::from(format!("schedule {schedule}")));
        let (backup_type, labels) = (backup_type.clone(), labels.clone());
        let made = match source {
            BackupSource::Board => {
                self.backup_board(backup_type, labels, actor).await.map_err(|e| refused(&e))
            }
            BackupSource::Http(target) => {
                let at = self.clock.wall();
                let new = NewBackup { backup_type, labels, pinned: false, actor, at, origin: Origin::Http };
                self.backup_url(target, new).await
            }
        };
        match made.map(serde_json::to_value) {
            Ok(Ok(view)) => Done::succeeded(view),
            Ok(Err(error)) => Done::failed("storage", &error.to_string()),
            Err(done) => done,
        }
    }

    async fn backup_url(self: &Arc<Self>, target: &Target, new: NewBackup) -> Result<BackupView, Done> {
        // Closed never.
        let _turn = self.backups.fetching.acquire().await;
        let state = self.state_of(target).await?;
        self.backup_documents(vec![state], new).await.map_err(|error| refused(&error))
    }

    /// What the application serves, without white space around it.
    async fn state_of(&self, target: &Target) -> Result<Bytes, Done> {
        let url = target
            .url
            .parse()
            .map_err(|error| Done::failed("url", &format!("the URL cannot be used: {error}")))?;
        let mut headers = BTreeMap::from([("accept".to_owned(), "application/json".to_owned())]);
        headers
            .extend(target.headers.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        let most = usize::try_from(self.backups.max_bytes()).unwrap_or(MOST).min(MOST);
        let fetch = Fetch {
            method: axum::http::Method::GET,
            url,
            headers: headers.into_iter().collect(),
            body: Bytes::new(),
            timeout: target.timeout.get(),
            max_redirects: REDIRECTS,
            verify_tls: true,
            max_response_bytes: most,
        };
        let answer = self
            .outbound
            .fetch(fetch)
            .await
            .map_err(|error| Done::failed(reason(&error), &error.to_string()))?;
        if answer.status != OK {
            let mut done = Done::failed(
                "unexpected_status",
                &format!("the answer was {}, expected {OK}", answer.status),
            );
            if let Some(output) = &mut done.output {
                output["status"] = json!(answer.status);
            }
            return Err(done);
        }
        if !answer.is_complete {
            return Err(Done::failed("too_large", &format!("the state is larger than {most} bytes")));
        }
        Ok(trimmed(&answer.body))
    }
}

/// Without the white space that JSON allows around a document.
fn trimmed(body: &Bytes) -> Bytes {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let from = body.iter().position(|byte| !is_space(byte)).unwrap_or(body.len());
    let until = body.iter().rposition(|byte| !is_space(byte)).map_or(from, |last| last + 1);
    body.slice(from..until)
}

/// Why there is no backup.
fn refused(error: &AppError) -> Done {
    let reason = match error {
        AppError::BadJson(_) | AppError::Invalid(_) => "invalid_state",
        AppError::TooLarge { .. } => "too_large",
        AppError::Storage(_) => "storage",
        _ => "refused",
    };
    Done::failed(reason, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_around_a_document_goes() {
        for (body, wanted) in
            [(" \r\n{\"a\": 1 }\n", "{\"a\": 1 }"), ("{}", "{}"), (" \n", ""), ("", ""), ("\x0c{}", "\x0c{}")]
        {
            assert_eq!(trimmed(&Bytes::from(body)), wanted);
        }
    }
}
