use std::{sync::Arc, time::Duration};

use fuseboard::{
    app::alerts::ExternalAlert,
    domain::{
        LabelSet,
        alert::{Alert, AlertLevel, AlertState},
    },
};
use jiff::Timestamp;
use serde_json::json;

use crate::support::TestServer;

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.to_vec()).unwrap()
}

fn sent(name: &str, message: &str) -> ExternalAlert {
    ExternalAlert {
        name: name.to_owned(),
        labels: labels(&[("instance", "a")]),
        level: AlertLevel::Error,
        annotations: LabelSet::default(),
        message: message.to_owned(),
        starts_at: None,
        ends_at: None,
        generator_url: None,
    }
}

fn shown(board: &TestServer) -> Vec<(i64, AlertState, String)> {
    let show = |alert: Arc<Alert>| (alert.id, alert.state, alert.message.clone());
    board.board.alerts.live().into_iter().map(show).collect()
}

async fn events(board: &TestServer) -> Vec<String> {
    let listed = board.get("/v1/events?resource=alert").await;
    let items = listed["items"].as_array().unwrap().clone();
    items.iter().rev().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn alerts_from_outside_are_one_while_they_are_sent_and_end_when_they_are_not() {
    let board = TestServer::start().await;
    let changed = board.board.alerts.changed();
    let raise = async |alert| board.board.alert_raise_external(vec![alert]).await.unwrap();
    raise(sent("Down", "it is down")).await;
    assert_eq!(shown(&board), [(1, AlertState::Firing, "it is down".to_owned())]);
    assert_eq!(*changed.borrow(), 1);
    board.advance(240.0);
    raise(sent("Down", "it is down")).await;
    assert_eq!(*changed.borrow(), 1, "nothing new");
    raise(ExternalAlert { level: AlertLevel::Critical, ..sent("Down", "worse") }).await;
    raise(sent("Down", "still down")).await;
    assert_eq!(*changed.borrow(), 3);
    let both =
        [(1, AlertState::Firing, "still down".to_owned()), (2, AlertState::Firing, "worse".to_owned())];
    assert_eq!(shown(&board), both);

    // As after kill -9, both go on, with as much time as if they had just been sent.
    let board = board.crash().await;
    assert_eq!(shown(&board), both);
    board.advance(299.0);
    board.board.expire_external_alerts().unwrap();
    assert_eq!(board.board.alerts.firing().len(), 2);
    let over = board.clock.wall() - Duration::from_secs(1);
    board
        .board
        .alert_raise_external(vec![ExternalAlert { ends_at: Some(over), ..sent("Down", "") }])
        .await
        .unwrap();
    board.advance(1.0);
    board.board.expire_external_alerts().unwrap();
    let kinds = events(&board).await;
    let wanted = ["firing", "firing", "updated", "resolved", "resolved"];
    assert_eq!(kinds, wanted.map(|kind| format!("alert.{kind}")));
    let live = board.board.alerts.live();
    assert_eq!(
        live.iter().map(|a| (a.id, a.resolved_at)).collect::<Vec<_>>(),
        [(1, Some(over)), (2, Some(board.clock.wall())),]
    );
    let after = board.restart().await;
    assert_eq!(after.board.alerts.live().len(), 2);
    raise_one(&after, "Down").await;
    assert_eq!(after.board.alerts.firing()[0].id, 5003, "no id is used again, what a crash lost neither");
    after.advance(3601.0);
    raise_one(&after, "Other").await;
    assert_eq!(after.board.alerts.live().iter().map(|a| a.id).collect::<Vec<_>>(), [5003, 5004]);
}

async fn raise_one(board: &TestServer, name: &str) {
    board.board.alert_raise_external(vec![sent(name, "")]).await.unwrap();
}

#[tokio::test]
async fn gates_are_closed_by_alerts_that_fire() {
    let board = TestServer::start().await;
    let ask = async || {
        board.post("/v1/gates/evaluate", json!({ "alerts": { "min_level": "error" } })).await["allowed"]
            .clone()
    };
    assert_eq!(ask().await, true);
    raise_one(&board, "Down").await;
    assert_eq!(ask().await, false);
    let end = Timestamp::UNIX_EPOCH;
    board
        .board
        .alert_raise_external(vec![ExternalAlert { ends_at: Some(end), ..sent("Down", "") }])
        .await
        .unwrap();
    assert_eq!(ask().await, true);
}
