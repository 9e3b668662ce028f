//! A wasi:http component with one behaviour for each path.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::OutputStream;

wasip2::http::proxy::export!(Guest);

struct Guest;

static SEEN: AtomicBool = AtomicBool::new(false);

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        match path {
            "/hello" => answer(out, 200, |body| body.write_all(b"hello").unwrap()),
            "/echo" => echo(&request, out),
            "/header" => {
                let values = request.headers().get(query);
                answer(out, 200, |body| body.write_all(&values.concat()).unwrap());
            }
            "/env" => answer(out, 200, |body| {
                for (name, value) in std::env::vars() {
                    writeln!(body, "{name}={value}").unwrap();
                }
            }),
            "/print" => {
                println!("to stdout");
                eprintln!("to stderr");
                answer(out, 200, |_| ());
            }
            "/canary" => {
                let seen = SEEN.swap(true, Ordering::SeqCst);
                answer(out, 200, |body| body.write_all(if seen { b"used" } else { b"fresh" }).unwrap());
            }
            "/status" => answer(out, query.parse().unwrap(), |body| body.write_all(b"as asked").unwrap()),
            "/trap" => panic!("on purpose"),
            "/forever" => loop {
                std::hint::black_box(0);
            },
            "/nothing" => drop(out),
            "/trap-in-body" => answer(out, 200, |body| {
                body.write_all(b"first").unwrap();
                panic!("in the body");
            }),
            "/forever-in-body" => answer(out, 200, |body| {
                body.write_all(b"first").unwrap();
                loop {
                    print!(".");
                }
            }),
            "/flood" => answer(out, 200, |body| {
                let piece = [b'x'; 64 << 10];
                for _ in 0..query.parse::<u32>().unwrap() {
                    body.write_all(&piece).unwrap();
                }
            }),
            "/fetch" => {
                let text = fetch(query);
                answer(out, 200, |body| body.write_all(text.as_bytes()).unwrap());
            }
            "/connect" => {
                let text = match std::net::TcpStream::connect(query) {
                    Ok(_) => "connected".to_owned(),
                    Err(error) => format!("refused: {error}"),
                };
                answer(out, 200, |body| body.write_all(text.as_bytes()).unwrap());
            }
            "/files" => {
                let text = match std::fs::read_dir("/") {
                    Ok(entries) => format!("{} entries", entries.count()),
                    Err(_) => "no files".to_owned(),
                };
                answer(out, 200, |body| body.write_all(text.as_bytes()).unwrap());
            }
            _ => answer(out, 404, |_| ()),
        }
    }
}

fn answer(out: ResponseOutparam, status: u16, write: impl FnOnce(&mut OutputStream)) {
    let response =
        OutgoingResponse::new(Fields::from_list(&[("x-guest".to_owned(), b"yes".to_vec())]).unwrap());
    response.set_status_code(status).unwrap();
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let mut stream = body.write().unwrap();
    write(&mut stream);
    stream.flush().unwrap();
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}

/// Passes on each piece as it comes.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let body = request.consume().unwrap();
    let input = body.stream().unwrap();
    answer(out, 200, |output| {
        while let Ok(piece) = input.blocking_read(16 << 10) {
            output.write_all(&piece).unwrap();
            output.flush().unwrap();
        }
    });
}

/// `host:port` over plain HTTP: the status and body, or the error.
fn fetch(authority: &str) -> String {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some("/from-guest")).unwrap();
    let pending = match outgoing_handler::handle(request, None) {
        Ok(pending) => pending,
        Err(code) => return format!("{code:?}"),
    };
    pending.subscribe().block();
    match pending.get().unwrap().unwrap() {
        Ok(response) => {
            let body = response.consume().unwrap();
            let mut text = String::new();
            body.stream().unwrap().read_to_string(&mut text).unwrap();
            format!("{} {text}", response.status())
        }
        Err(code) => format!("{code:?}"),
    }
}
