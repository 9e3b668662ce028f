//! The HTTP part: one request in, one response out.

use std::io::{Read as _, Write as _};

use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

use crate::render;

/// More Markdown than anybody writes by hand.
const LIMIT: u64 = 4 << 20;

struct Markdown;

wasip2::http::proxy::export!(Markdown);

impl wasip2::exports::http::incoming_handler::Guest for Markdown {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let answer = match request.method() {
            Method::Post | Method::Put => read(&request).map(|markdown| convert(&markdown)),
            Method::Get | Method::Head => Err((200, "POST Markdown here and get HTML back\n".to_owned())),
            _ => Err((405, "POST Markdown here and get HTML back\n".to_owned())),
        };
        match answer {
            Ok(html) => respond(out, 200, "text/html; charset=utf-8", &html),
            Err((status, text)) => respond(out, status, "text/plain; charset=utf-8", &text),
        }
    }
}

fn convert(markdown: &str) -> String {
    let whole = std::env::var("PAGE").is_ok_and(|value| value == "true");
    let html = if whole { render::page(markdown) } else { render::fragment(markdown) };
    // Lines on stderr are this call's log.
    eprintln!("rendered {} bytes of Markdown to {} bytes of HTML", markdown.len(), html.len());
    html
}

/// The whole body as text, or the status and the message that say why not.
fn read(request: &IncomingRequest) -> Result<String, (u16, String)> {
    let unreadable = |what: &str| (400, format!("failed to read the request: {what}\n"));
    let body: IncomingBody = request.consume().map_err(|()| unreadable("no body"))?;
    let stream = body.stream().map_err(|()| unreadable("no stream"))?;
    let mut bytes = Vec::new();
    stream.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error.to_string()))?;
    if bytes.len() as u64 > LIMIT {
        return Err((413, format!("the text is longer than {LIMIT} bytes\n")));
    }
    String::from_utf8(bytes).map_err(|error| (400, format!("the text is not UTF-8: {error}\n")))
}

fn respond(out: ResponseOutparam, status: u16, content_type: &str, text: &str) {
    let headers = Fields::new();
    let valid = headers.set("content-type", &[content_type.as_bytes().to_vec()]).is_ok();
    let response = OutgoingResponse::new(headers);
    let body = response.body();
    if !valid || response.set_status_code(status).is_err() {
        eprintln!("failed to build the response");
    }
    ResponseOutparam::set(out, Ok(response));
    let Ok(body) = body else { return };
    if let Ok(mut stream) = body.write() {
        // A caller that went away is no failure of ours; there is nobody left to tell.
        if let Err(error) =
            stream.write_all(text.as_bytes()).and_then(|()| std::io::Write::flush(&mut stream))
        {
            eprintln!("failed to send the answer: {error}");
        }
    }
    if let Err(error) = OutgoingBody::finish(body, None) {
        eprintln!("failed to end the answer: {error}");
    }
}
