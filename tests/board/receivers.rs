//! Receivers, and the routes that lead to them: what is declared, what is shown, and what a test of them says.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    mail::mail_server,
    peer::{Peer, ok},
    raw::within,
    support::{TestServer, assert_problem},
};

const SECRET: &str = "hunter2-of-this-test";

pub fn mail_receiver(peer: &Peer) -> Value {
    json!({ "kind": "email", "smtp_host": "127.0.0.1", "smtp_port": peer.address.port(), "smtp_tls": "none",
        "from": "Board <board@fuse.test>", "to": ["ops@fuse.test", "more@fuse.test"] })
}

async fn put(board: &TestServer, name: &str, spec: Value) -> Value {
    let (status, view) = board.put(&format!("/v1/receivers/{name}"), spec).await;
    assert!(status == 200 || status == 201, "{view}");
    view
}

async fn test(board: &TestServer, name: &str) -> Value {
    within("a test", board.post(&format!("/v1/receivers/{name}/test"), json!({}))).await
}

#[tokio::test]
async fn a_receiver_is_declared_seen_and_deleted_and_shows_no_secret() {
    let board = TestServer::start().await;
    let spec = json!({ "kind": "webhook", "url": format!("https://hooks.test/services/{SECRET}"),
        "hmac_secret": SECRET, "headers": { "authorization": format!("Bearer {SECRET}"), "x-team": "ops" } });
    let created = board.send(Method::PUT, "/v1/receivers/ops", Some(spec.clone())).await;
    assert_eq!(created.status(), 201);
    let tag = created.headers()["etag"].to_str().unwrap().to_owned();
    let view: Value = created.json().await.unwrap();
    assert_eq!(view["config"]["url"], "https://hooks.test/[redacted]");
    assert_eq!(view["config"]["hmac_secret"], "[redacted]");
    assert_eq!(view["config"]["headers"], json!({ "authorization": "[redacted]", "x-team": "ops" }));
    assert_eq!((&view["kind"], &view["config"]["send_resolved"]), (&json!("webhook"), &json!(true)));
    assert_eq!(board.put("/v1/receivers/ops", spec.clone()).await.0, 200);
    assert_eq!(board.get("/v1/receivers").await["items"], json!([view]));
    // What is shown is refused, so that nobody stores it by mistake.
    let (status, problem) = board.put("/v1/receivers/ops", view["config"].clone()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("validation_failed")), "{problem}");
    let events = board.get("/v1/events?resource=receiver").await;
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    for shown in [events, board.get("/v1/receivers/ops").await, board.get("/api/v2/status").await] {
        assert!(!shown.to_string().contains(SECRET), "{shown}");
    }
    // The board's own document is what `import` puts back, for the scope `admin` only.
    assert!(board.get("/v1/board").await["receivers"]["ops"].to_string().contains(SECRET));
    let other = board.http.delete(format!("{}/v1/receivers/ops", board.url)).header("if-match", "\"x\"");
    assert_problem(other.send().await.unwrap(), 412, "precondition_failed", "another tag").await;
    let request = board.http.put(format!("{}/v1/receivers/ops", board.url)).header("if-match", &tag);
    assert_eq!(request.json(&spec).send().await.unwrap().status(), 200);
    let board = board.crash().await;
    assert_eq!(board.get("/v1/receivers/ops").await, view, "it is on disk");
    assert_eq!(board.delete("/v1/receivers/ops").await, 204);
    assert_eq!(board.delete("/v1/receivers/ops").await, 404);
}

#[tokio::test]
async fn a_test_of_a_receiver_says_what_came_back() {
    let board = TestServer::start().await;
    let peer = Peer::answering(|request| {
        if request.contains("/refuses") {
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\n\r\nno way!".to_owned()
        } else {
            ok("")
        }
    })
    .await;
    put(&board, "hook", json!({ "kind": "webhook", "url": peer.url("/takes"), "hmac_secret": "s" })).await;
    let result = test(&board, "hook").await;
    assert_eq!(
        (&result["delivered"], &result["http_status"], &result["error"]),
        (&json!(true), &json!(200), &json!(null))
    );
    let request = peer.requests().pop().unwrap();
    let id = result["delivery_id"].as_str().unwrap();
    for part in
        [&format!("fuseboard-delivery-id: {id}"), "fuseboard-signature: t=1800000000,v1=", "fuseboardtest"]
    {
        assert!(request.contains(part), "{part}: {request}");
    }
    put(&board, "hook", json!({ "kind": "webhook", "url": peer.url("/refuses") })).await;
    let result = test(&board, "hook").await;
    assert_eq!((&result["delivered"], &result["http_status"]), (&json!(false), &json!(403)));
    assert!(result["error"].as_str().unwrap().ends_with("answered 403: no way!"), "{result}");
    // What a check may not reach, a receiver may not either.
    put(&board, "hook", json!({ "kind": "slack", "url": "http://169.254.169.254/latest" })).await;
    let result = test(&board, "hook").await;
    assert_eq!(result["delivered"], false);
    assert!(result["error"].as_str().unwrap().contains("may not be reached"), "{result}");
    assert_eq!(board.get("/v1/notifications").await["items"], json!([]), "tests are not recorded");
    let unknown = board.send(Method::POST, "/v1/receivers/nobody/test", None).await;
    assert_problem(unknown, 404, "not_found", "nobody").await;
}

#[tokio::test]
async fn mail_goes_to_the_server_that_was_checked() {
    let board = TestServer::start().await;
    let (peer, mails) = mail_server("250 OK\r\n").await;
    put(&board, "mail", mail_receiver(&peer)).await;
    let result = test(&board, "mail").await;
    assert_eq!(result["delivered"], true, "{result}");
    let mail = mails.lock().unwrap().pop().unwrap();
    for part in [
        "MAIL FROM:<board@fuse.test>",
        "RCPT TO:<ops@fuse.test>",
        "RCPT TO:<more@fuse.test>",
        "Subject: [FIRING:1] FuseboardTest (info)",
        &format!("Message-ID: <{}@fuse.test>", result["delivery_id"].as_str().unwrap()),
        "Nothing is wrong.",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let mut forbidden = mail_receiver(&peer);
    forbidden["smtp_host"] = "169.254.1.1".into();
    put(&board, "mail", forbidden).await;
    let result = test(&board, "mail").await;
    assert!(result["error"].as_str().unwrap().contains("may not be reached"), "{result}");
}

#[tokio::test]
async fn a_mail_server_that_refuses_hides_tls_or_talks_without_end_is_survived() {
    let board = TestServer::start().await;
    let (peer, mails) = mail_server("550 not you\r\n").await;
    put(&board, "mail", mail_receiver(&peer)).await;
    let result = test(&board, "mail").await;
    assert!(
        result["error"].as_str().unwrap().contains("550")
            || result["error"].as_str().unwrap().contains("not you"),
        "{result}"
    );
    // Without STARTTLS nothing goes out.
    let (peer, unseen) = mail_server("250 OK\r\n").await;
    let mut secret = mail_receiver(&peer);
    secret["smtp_tls"] = "starttls".into();
    put(&board, "mail", secret).await;
    assert_eq!(test(&board, "mail").await["delivered"], false);
    assert!(mails.lock().unwrap().is_empty() && unseen.lock().unwrap().is_empty());
    let babbling =
        Peer::doing(|mut stream| async move { while stream.write_all(&[b'2'; 8192]).await.is_ok() {} }).await;
    put(&board, "mail", mail_receiver(&babbling)).await;
    assert_eq!(test(&board, "mail").await["delivered"], false);
    let silent = Peer::doing(|mut stream| async move {
        drop(stream.read(&mut [0; 64]).await);
        std::future::pending::<()>().await;
    })
    .await;
    let mut spec = mail_receiver(&silent);
    spec["timeout_seconds"] = 0.2.into();
    put(&board, "mail", spec).await;
    let result = test(&board, "mail").await;
    assert!(result["error"].as_str().unwrap().contains("no answer within 0.2 s"), "{result}");
    assert!(result["duration_seconds"].as_f64().unwrap() < Duration::from_secs(10).as_secs_f64());
}

#[tokio::test]
async fn routes_are_declared_and_name_what_they_miss() {
    let board = TestServer::start().await;
    let spec = json!({ "matchers": ["severity=critical"], "receiver": "pager", "group_by": ["alertname"],
        "routes": [{ "matchers": ["job=~\"db.*\""], "receiver": "dba", "continue": true }] });
    let (status, view) = board.put("/v1/routes/critical", spec).await;
    assert_eq!((status, &view["missing_receivers"]), (201, &json!(["dba", "pager"])));
    assert_eq!(view["config"]["matchers"], json!(["severity=\"critical\""]));
    board.put("/v1/receivers/dba", json!({ "kind": "webhook", "url": "http://127.0.0.1:1/" })).await;
    let view = board.get("/v1/routes/critical").await;
    assert_eq!(view["missing_receivers"], json!(["pager"]));
    let board = board.crash().await;
    assert_eq!(board.get("/v1/routes/critical").await, view);
    assert_eq!(board.get("/v1/routes").await["items"], json!([view]));
    assert_eq!(board.delete("/v1/routes/critical").await, 204);
    assert_eq!(board.delete("/v1/routes/critical").await, 404);
}

#[tokio::test]
async fn maintenance_windows_are_declared_and_say_when_they_open() {
    let board = TestServer::start().await;
    // The clock shows 2027-01-15T08:00:00Z, a Friday.
    let spec = json!({ "cron": "0 9 * * FRI", "duration_seconds": 3600, "timezone": "Europe/Berlin",
        "comment": "the provider's", "created_by": "mira" });
    let (status, view) = board.put("/v1/maintenance-windows/weekly", spec).await;
    assert_eq!((status, &view["is_open"]), (201, &json!(true)), "{view}");
    assert_eq!(view["config"]["created_by"], "mira");
    assert_eq!(
        (&view["closes_at"], &view["opens_at"]),
        (&json!("2027-01-15T09:00:00Z"), &json!("2027-01-22T08:00:00Z"))
    );
    board.advance(3600.0);
    let view = board.get("/v1/maintenance-windows/weekly").await;
    assert_eq!((&view["is_open"], &view["closes_at"]), (&json!(false), &json!(null)));
    let board = board.crash().await;
    assert_eq!(board.get("/v1/maintenance-windows").await["items"], json!([view]));
    assert_eq!(board.delete("/v1/maintenance-windows/weekly").await, 204);
}

#[tokio::test]
async fn nonsense_is_refused_with_the_field() {
    let board = TestServer::start().await;
    let deep = (0..20).fold(json!({}), |inner, _| json!({ "routes": [inner] }));
    for (path, body, field) in [
        ("/v1/receivers/r", json!({}), "kind"),
        ("/v1/receivers/r", json!({ "kind": "pigeon" }), "kind"),
        ("/v1/receivers/r", json!({ "kind": "webhook" }), "url"),
        ("/v1/receivers/r", json!({ "kind": "webhook", "url": 5 }), "url"),
        ("/v1/receivers/r", json!({ "kind": "webhook", "url": "x".repeat(5000) }), "url"),
        ("/v1/receivers/r", json!({ "kind": "webhook", "url": "http://a", "ulr": "x" }), "ulr"),
        (
            "/v1/receivers/r",
            json!({ "kind": "webhook", "url": "http://a", "timeout_seconds": -1 }),
            "timeout_seconds",
        ),
        ("/v1/receivers/-r", json!({ "kind": "webhook", "url": "http://a" }), "name"),
        ("/v1/routes/r", json!({ "matchers": "a=b" }), "matchers"),
        ("/v1/routes/r", json!({ "matchers": ["a=~\"(\""] }), "matchers"),
        ("/v1/routes/r", json!({ "matchers": vec!["a=b"; 65] }), "matchers"),
        ("/v1/routes/r", json!({ "routes": [[]] }), "routes[0]"),
        ("/v1/routes/r", deep, "routes"),
        ("/v1/maintenance-windows/w", json!({}), "cron"),
        (
            "/v1/maintenance-windows/w",
            json!({ "cron": "@daily", "duration_seconds": 1e300 }),
            "duration_seconds",
        ),
    ] {
        let response = board.send(Method::PUT, path, Some(body.clone())).await;
        let problem = assert_problem(response, 422, "validation_failed", &body.to_string()).await;
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    for path in ["/v1/receivers/r/test", "/v1/notifications/1/retry"] {
        let response = board.send(Method::GET, path, None).await;
        assert_problem(response, 405, "method_not_allowed", path).await;
        let response = board.send(Method::POST, path, Some(json!({ "x": 1 }))).await;
        assert_problem(response, 422, "validation_failed", path).await;
    }
}
