//! `/status`: what everybody may see, and nothing else.

use fuseboard::{app::tokens::Secret, config::StatusPage, domain::Name};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestServer, assert_problem};

fn page(title: &str, checks: &[&str]) -> StatusPage {
    let checks = checks.iter().map(|name| Name::try_from(*name).unwrap()).collect();
    StatusPage { title: title.to_owned(), checks }
}

async fn push(board: &TestServer, name: &str, status: &str, message: &str) {
    let body = json!({ "status": status, "message": message, "details": { "host": "db-7.internal" } });
    let path = format!("{}/v1/checks/{name}", board.url);
    board.http.put(&path).bearer_auth("root").json(&json!({ "kind": "push" })).send().await.unwrap();
    let sent =
        board.http.post(format!("{path}/results")).bearer_auth("root").json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
}

#[tokio::test]
async fn without_being_turned_on_there_is_none() {
    let board = TestServer::start().await;
    board.put("/v1/checks/web", json!({ "kind": "push" })).await;
    assert_problem(board.send(Method::GET, "/status", None).await, 404, "not_found", "off").await;
}

#[tokio::test]
async fn it_shows_the_chosen_checks_to_everybody_and_nothing_else() {
    let title = "Trading <b>&\"status\"</b>";
    let board = TestServer::start_with(|config| {
        config.token = Some(Secret::new("root".into()));
        config.status_page = Some(page(title, &["web", "api", "undeclared"]));
    })
    .await;
    push(&board, "web", "green", "secret-message-1").await;
    push(&board, "api", "red", "secret-message-2").await;
    push(&board, "internal-ledger", "red", "secret-message-3").await;
    let response = board.send(Method::GET, "/status", None).await;
    assert_eq!(response.status(), 200, "no token is needed");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let text = response.text().await.unwrap();
    for wanted in [
        "<h1>Trading &lt;b&gt;&amp;&quot;status&quot;&lt;/b&gt;</h1>",
        "<span class=\"name\">web</span><span class=\"status\">Operational</span>",
        "<span class=\"name\">api</span><span class=\"status\">Down</span>",
        "<span class=\"name\">undeclared</span><span class=\"status\">No recent data</span>",
        "Some systems are down",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    for hidden in ["internal-ledger", "secret-message", "db-7", "push", "<b>", "<script"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert!(text.find(">web<") < text.find(">api<"), "in the order of the configuration");
    for (method, path) in
        [(Method::GET, "/v1/checks"), (Method::GET, "/v1/health"), (Method::GET, "/status/x")]
    {
        let response = board.send(method, path, None).await;
        assert!(response.status().is_client_error(), "{path}");
    }
    assert_problem(board.send(Method::POST, "/status", None).await, 405, "method_not_allowed", "POST").await;
}

#[tokio::test]
async fn what_nobody_has_heard_of_lately_is_not_operational() {
    let board = TestServer::start_with(|config| config.status_page = Some(page("Status", &["web"]))).await;
    push(&board, "web", "green", "").await;
    let text = async || board.get("/status").await.as_str().unwrap().to_owned();
    assert!(text().await.contains("All systems operational"));
    board.advance(86_400.0);
    let late = text().await;
    assert!(late.contains("No recent data") && late.contains("Some systems are degraded"), "{late}");
}
