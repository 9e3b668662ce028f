//! A wasi:http component that gives the body of its request back.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

wasip2::http::proxy::export!(Echo);

struct Echo;

impl wasip2::exports::http::incoming_handler::Guest for Echo {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let received = request.consume().expect("a body");
        let input = received.stream().expect("its stream");
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("a body");
        ResponseOutparam::set(out, Ok(response));
        let output = body.write().expect("its stream");
        loop {
            match input.blocking_read(16 << 10) {
                Ok(piece) => {
                    for piece in piece.chunks(4096) {
                        output.blocking_write_and_flush(piece).expect("a reader");
                    }
                }
                Err(StreamError::Closed) => break,
                Err(error) => panic!("the body broke off: {error:?}"),
            }
        }
        drop(output);
        OutgoingBody::finish(body, None).expect("an end");
    }
}
