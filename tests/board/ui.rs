//! The operator's page: what is served, to whom, and with which protection.

use fuseboard::app::tokens::Secret;
use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{TestServer, assert_problem};

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The addresses that the page names.
fn assets(page: &str) -> Vec<String> {
    page.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_and_its_files_need_no_token_and_the_api_does() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let response = board.send(Method::GET, "/", None).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-type")),
        (200, "text/html; charset=utf-8")
    );
    let page = response.text().await.unwrap();
    let assets = assets(&page);
    assert!(assets.len() > 8, "{page}");
    for path in &assets {
        let response = board.send(Method::GET, path, None).await;
        let kind = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, kind), "{path}");
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
    }
    for path in ["/v1/breakers", "/v1/events", "/v1/tokens/self"] {
        let response = board.send(Method::GET, path, None).await;
        assert_problem(response, 401, "unauthorized", path).await;
    }
}

#[tokio::test]
async fn the_page_lets_nothing_in_and_is_not_sent_twice() {
    let board = TestServer::start().await;
    let response = board.send(Method::GET, "/", None).await;
    let policy = header(&response, "content-security-policy").to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header(&response, "referrer-policy"), "no-referrer");
    let tag = header(&response, "etag").to_owned();
    let page = response.text().await.unwrap();
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("<script>"), "{page}");
    let again = || board.http.get(format!("{}/", board.url));
    assert_eq!(again().header("if-none-match", format!("\"x\", {tag}")).send().await.unwrap().status(), 304);
    assert_eq!(again().header("if-none-match", "\"x\"").send().await.unwrap().status(), 200);
    let packed = again().header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(header(&packed, "content-encoding"), "gzip");
}

#[tokio::test]
async fn files_of_another_version_and_other_paths_are_not_there() {
    let board = TestServer::start().await;
    let page = board.get("/").await;
    let first = assets(page.as_str().unwrap()).remove(0);
    let version = first.split('/').nth(2).unwrap();
    for path in [
        "/assets/0000000000000000/app/main.js".to_owned(),
        format!("/assets/{version}/index.html"),
        format!("/assets/{version}/app/nothing.js"),
        format!("/assets/{version}/../../Cargo.toml"),
        format!("/assets/{version}/app/%2e%2e/%2e%2e/Cargo.toml"),
        format!("/assets/{version}/app/%2e%2e/index.html"),
        format!("/assets/{version}/%2fetc/passwd"),
        format!("/assets/{version}/README.md"),
        format!("/assets/{version}"),
        "/assets".to_owned(),
    ] {
        let response = board.send(Method::GET, &path, None).await;
        assert_problem(response, 404, "not_found", &path).await;
    }
    for path in ["/", first.as_str()] {
        let response = board.send(Method::POST, path, Some(json!({}))).await;
        assert_eq!(header(&response, "allow"), "GET,HEAD", "{path}");
        assert_problem(response, 405, "method_not_allowed", path).await;
        assert_eq!(board.send(Method::HEAD, path, None).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn somebody_asks_what_a_token_allows() {
    let board = TestServer::start().await;
    let open = json!({ "name": null, "scope": "admin", "required": false });
    assert_eq!(board.get("/v1/tokens/self").await, open, "nobody needs one");
    let (status, made) =
        board.ask(Method::POST, "/v1/tokens", Some(json!({ "name": "viewer", "scope": "read" }))).await;
    assert_eq!(status, 201, "{made}");
    let ask =
        |token: String| board.http.get(format!("{}/v1/tokens/self", board.url)).bearer_auth(token).send();
    let viewer = ask(made["token"].as_str().unwrap().to_owned()).await.unwrap();
    let wanted = json!({ "name": "viewer", "scope": "read", "required": true });
    assert_eq!(viewer.json::<serde_json::Value>().await.unwrap(), wanted);
    assert_problem(ask("wrong".to_owned()).await.unwrap(), 401, "unauthorized", "wrong").await;
    let response = board.send(Method::GET, "/v1/tokens/self", None).await;
    assert_problem(response, 401, "unauthorized", "none").await;
}

/// The modules that a module imports, as paths below `/assets/{version}`.
fn imports(path: &str, text: &str) -> Vec<String> {
    let folder: Vec<&str> = path.rsplit_once('/').unwrap().0.split('/').collect();
    let mut found = Vec::new();
    // Minified code has no space there.
    for part in text.replace("from \"", "from\"").split("from\"").skip(1) {
        let (mut place, wanted) = (folder.clone(), part.split('"').next().unwrap());
        for step in wanted.split('/') {
            match step {
                "." => {}
                ".." => drop(place.pop()),
                name => place.push(name),
            }
        }
        if wanted.starts_with('.') {
            found.push(place.join("/"));
        }
    }
    found
}

#[tokio::test]
async fn the_page_names_all_modules_that_it_begins_with() {
    let board = TestServer::start().await;
    let page = board.get("/").await;
    let named = assets(page.as_str().unwrap());
    let mut waiting: Vec<String> =
        named.iter().filter(|path| path.ends_with("/app/main.js")).cloned().collect();
    assert_eq!(waiting.len(), 1);
    let mut seen = waiting.clone();
    while let Some(path) = waiting.pop() {
        let text = board.get(&path).await;
        for import in imports(&path, text.as_str().unwrap()) {
            assert!(named.contains(&import), "{path} imports {import}: one round trip later than it could");
            if !seen.contains(&import) {
                seen.push(import.clone());
                waiting.push(import);
            }
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    let preloads = page.as_str().unwrap().matches("modulepreload").count();
    assert_eq!(preloads + 1, seen.len(), "nothing is loaded that is not needed");
}
