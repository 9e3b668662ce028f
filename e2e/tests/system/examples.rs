//! The shipped examples, applied by the command line and checked on their real input.

use eventflow_e2e::{Cli, Server, root, skipped};
use serde_json::{Value, json};
use std::path::PathBuf;

fn file(path: &str) -> PathBuf {
    root().join("examples").join(path)
}

/// A server with the example applied; none, and said so, where what it needs is not there.
async fn deployed(example: &str, code: Option<&str>, program: Option<&str>) -> Option<(Server, Cli)> {
    if let Some(code) = code
        && !file(code).is_file()
    {
        skipped(&format!("examples/{code} is not built: run `make examples`"), true);
        return None;
    }
    if let Some(program) = program {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
            skipped(&format!("example {example} needs {program}, which is not installed"), false);
            return None;
        }
    }
    // What an example keeps in its process or its folder is one dispatcher's.
    let server = Server::options().dispatchers(1).start().await;
    let cli = server.cli().await;
    let manifest = file(&format!("{example}/function.yaml"));
    let said = cli.ok(&["apply", "-f", manifest.to_str().unwrap()]).await;
    assert_eq!(said, format!("function default/{example} created, version 1\n"));
    Some((server, cli))
}

/// The bytes that the example answers to a file.
async fn answer(cli: &Cli, example: &str, input: &str) -> Vec<u8> {
    let input = file(input);
    let output = cli.command(&["invoke", example, "--file", input.to_str().unwrap()]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn hello_greets() {
    let Some((_server, cli)) = deployed("hello", Some("hello/hello.wat"), None).await else { return };
    assert_eq!(cli.ok(&["invoke", "hello", "--data", "you"]).await.trim_end(), "Hello, you!");
}

#[tokio::test]
async fn markdown_becomes_html_and_what_would_run_is_escaped() {
    let Some((server, cli)) = deployed("markdown", Some("markdown/markdown.wasm"), None).await else {
        return;
    };
    let html = String::from_utf8(answer(&cli, "markdown", "markdown/article.md").await).unwrap();
    let source = std::fs::read_to_string(file("markdown/article.md")).unwrap();
    let title = source.lines().find_map(|line| line.strip_prefix("# ")).unwrap();
    assert!(html.contains("<h1") && html.contains(title), "{html}");
    for tag in ["<p>", "<table>", "<thead>", "<li>", "<code"] {
        assert!(html.contains(tag), "{tag}: {html}");
    }
    assert_eq!(
        html.matches("<h2").count(),
        source.lines().filter(|line| line.starts_with("## ")).count(),
        "{html}"
    );

    let hostile = "<script>alert(1)</script>\n\n[link](javascript:alert(1)) *kept*\n";
    let rest = server.rest().await;
    let made =
        rest.request("POST", "/fn/default/markdown").header("content-type", "text/markdown").body(hostile);
    let made = made.send().await;
    assert_eq!(made.status, 200, "{made:?}");
    assert!(made.header("content-type").starts_with("text/html"), "{made:?}");
    assert!(made.header("content-security-policy").contains("sandbox"), "{made:?}");
    let html = made.text();
    assert!(html.contains("&lt;script&gt;") && html.contains("<em>kept</em>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
}

/// Width and height of a PNG, from its IHDR chunk.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n", "the signature");
    assert_eq!(bytes[12..16], *b"IHDR");
    assert_eq!(bytes[bytes.len() - 8..bytes.len() - 4], *b"IEND", "whole to its end");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_thumbnail_is_a_small_png_of_the_same_shape() {
    let Some((_server, cli)) = deployed("thumbnail", Some("thumbnail/thumbnail.wasm"), None).await else {
        return;
    };
    let input = std::fs::read(file("thumbnail/landscape.png")).unwrap();
    let small = answer(&cli, "thumbnail", "thumbnail/landscape.png").await;
    let ((width, height), (w, h)) = (png_size(&input), png_size(&small));
    assert_eq!(w.max(h), 256, "the longest side: {w}x{h}");
    let (before, after) = (f64::from(width) / f64::from(height), f64::from(w) / f64::from(h));
    assert!((before - after).abs() / before < 0.01, "{width}x{height} became {w}x{h}");
    assert!(small.len() < input.len(), "{} of {} bytes", small.len(), input.len());

    let refused = cli.run(&["invoke", "thumbnail", "--data", "no picture"]).await;
    assert_eq!(refused.code, 1, "{refused:#?}");
}

#[tokio::test]
async fn pagerank_ranks_the_president_first() {
    let Some((_server, cli)) = deployed("pagerank", None, Some("python3")).await else { return };
    let ranked: Value =
        serde_json::from_slice(&answer(&cli, "pagerank", "pagerank/karate.txt").await).unwrap();
    let ranks = ranked["ranks"].as_array().unwrap_or_else(|| panic!("ranks in {ranked}"));
    assert_eq!(ranks.len(), 34, "{ranked}");
    let rank = |at: usize| ranks[at]["rank"].as_f64().unwrap();
    let node = |at: usize| ranks[at]["node"].to_string().trim_matches('"').to_owned();
    assert_eq!((node(0), node(1)), ("34".to_owned(), "1".to_owned()), "{ranked}");
    let sum: f64 = (0..34).map(rank).sum();
    assert!((sum - 1.0).abs() < 1e-3, "they sum to {sum}");
    assert!((1..34).all(|at| rank(at) <= rank(at - 1)), "{ranked}");
    let logs = cli.ok(&["logs", "pagerank"]).await;
    assert!(!logs.is_empty(), "it logs its progress");

    let refused =
        cli.run(&["invoke", "pagerank", "--data", "not a graph", "-o", "json", "--wait", "30s"]).await;
    assert_eq!(refused.code, 1, "{refused:#?}");
}

#[tokio::test]
async fn notes_are_added_by_a_call_and_read_through_the_functions_own_url() {
    let Some((server, cli)) = deployed("notes", None, Some("node")).await else { return };
    let input: Value = serde_json::from_slice(&std::fs::read(file("notes/notes.json")).unwrap()).unwrap();
    let added: Value = serde_json::from_slice(&answer(&cli, "notes", "notes/notes.json").await).unwrap();
    let count = input.as_array().unwrap().len();
    assert_eq!(added.as_array().unwrap().len(), count, "{added}");

    let rest = server.rest().await;
    let listed = rest.get("/fn/default/notes/").await;
    assert_eq!((listed.status, listed.json().as_array().unwrap().len()), (200, count), "{listed:?}");
    let more = rest
        .post("/fn/default/notes/", &json!({"title": "Émile", "text": "a later note", "tags": ["late"]}))
        .await;
    assert_eq!((more.status, &more.json()["id"]), (201, &json!(count + 1)), "{more:?}");
    let found = rest.get("/fn/default/notes/?q=later&tag=late").await.json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["title"]), (1, &json!("Émile")), "{found}");
    let one = format!("/fn/default/notes/{}", count + 1);
    assert_eq!(rest.get(&one).await.json()["text"], "a later note");
    assert_eq!(rest.delete(&one).await.status, 204);
    assert_eq!(rest.get(&one).await.status, 404, "the function's own status");
    let bad = rest.post("/fn/default/notes/", &json!({"title": ""})).await;
    assert_eq!(bad.status, 422, "the function's own refusal: {bad:?}");
    assert_eq!(rest.without_token().get("/fn/default/notes/").await.status, 401);
}
