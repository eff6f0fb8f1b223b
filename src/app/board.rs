//! The board's own document: everything that was declared, with its secrets, to be kept and declared again elsewhere.

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    AppError, Board,
    breakers::BreakerCell,
    checks::CheckCell,
    definitions::{self, Resource},
    gates::GateCell,
    limiters::LimiterCell,
    maintenance_windows::MaintenanceWindowCell,
    receivers::ReceiverCell,
    retention::RetentionCell,
    retry_policies::RetryPolicyCell,
    routes::RouteCell,
    schedules::ScheduleCell,
    text::hex,
    thresholds::ThresholdCell,
};
use crate::store::sqlite::definitions::{KindRow, definitions_by_kind};

/// What the field `format` of a document says: another number means other rules of reading it.
pub const FORMAT: &str = "fuseboard/1";

/// A field of the document: all resources of a kind, by name.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The kind, as in the store and in events.
    pub kind: &'static str,
    /// The field.
    pub field: &'static str,
    /// Where a resource is declared: `{path}/{name}`.
    pub path: &'static str,
    /// A resource's document as the store has it, with every field filled; or what is wrong with it.
    pub normal: fn(&str) -> Result<String, AppError>,
}

impl Section {
    const fn of<R: Resource>(field: &'static str, path: &'static str) -> Self
    where
        R::Spec: for<'de> Deserialize<'de>,
    {
        Self { kind: R::KIND, field, path, normal: normal::<R> }
    }
}

fn normal<R: Resource>(document: &str) -> Result<String, AppError>
where
    R::Spec: for<'de> Deserialize<'de>,
{
    let spec: R::Spec =
        serde_json::from_str(document).map_err(|error| AppError::invalid("body", error.to_string()))?;
    Ok(definitions::document::<R>(&R::Config::try_from(spec)?))
}

/// The fields in an order in which whatever refers to something comes after it.
pub const SECTIONS: [Section; 11] = [
    Section::of::<BreakerCell>("breakers", "/v1/breakers"),
    Section::of::<LimiterCell>("limiters", "/v1/limiters"),
    Section::of::<RetryPolicyCell>("retry_policies", "/v1/retry-policies"),
    Section::of::<CheckCell>("checks", "/v1/checks"),
    Section::of::<GateCell>("gates", "/v1/gates"),
    Section::of::<RetentionCell>("retention", "/v1/retention"),
    Section::of::<ReceiverCell>("receivers", "/v1/receivers"),
    Section::of::<RouteCell>("routes", "/v1/routes"),
    Section::of::<MaintenanceWindowCell>("maintenance_windows", "/v1/maintenance-windows"),
    Section::of::<ScheduleCell>("schedules", "/v1/schedules"),
    Section::of::<ThresholdCell>("thresholds", "/v1/thresholds"),
];

/// The document, in pieces that follow each other. Equal boards have equal bytes.
#[derive(Clone, Debug)]
pub struct BoardDocument {
    /// Its bytes.
    pub pieces: Vec<Bytes>,
    /// How many they are.
    pub length: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Board {
    /// What is declared at one instant. It holds secrets: headers of checks and of schedules, and those of receivers.
    pub async fn board_document(&self) -> Result<BoardDocument, AppError> {
        let stored = definitions_by_kind(&self.store.readers).await?;
        let pieces = written(stored);
        let mut hash = Sha256::new();
        for piece in &pieces {
            hash.update(piece);
        }
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Ok(BoardDocument { pieces, length, sha256: hex(&hash.finalize()) })
    }
}

/// Each known field, be it empty; a kind that has none is a field of its own name.
fn written(mut stored: Vec<KindRow>) -> Vec<Bytes> {
    let mut pieces = vec![Bytes::from(format!("{{\"format\":\"{FORMAT}\""))];
    let mut field = |name: &str, members: String| {
        pieces.push(format!(",\"{name}\":{{").into());
        pieces.push(members.into());
        pieces.push(Bytes::from_static(b"}"));
    };
    for section in SECTIONS {
        let place = stored.iter().position(|row| row.kind == section.kind);
        field(section.field, place.map(|place| stored.remove(place).members).unwrap_or_default());
    }
    for row in stored {
        field(&row.kind, row.members);
    }
    pieces.push(Bytes::from_static(b"}"));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_field_and_an_unknown_one_is_not_left_out() {
        let row = |kind: &str, members: &str| KindRow { kind: kind.to_owned(), members: members.to_owned() };
        let stored = vec![row("gate", "\"g\":{\"checks\":[\"a\"]}"), row("novelty", "\"x\":{}")];
        let text = written(stored).concat();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "{\"format\":\"fuseboard/1\",\"breakers\":{},\"limiters\":{},\"retry_policies\":{},\"checks\":{},\
             \"gates\":{\"g\":{\"checks\":[\"a\"]}},\"retention\":{},\"receivers\":{},\"routes\":{},\
             \"maintenance_windows\":{},\"schedules\":{},\"thresholds\":{},\"novelty\":{\"x\":{}}}"
        );
    }
}
