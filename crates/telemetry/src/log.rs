//! Logs: one event is one line, whatever is in it.

mod line;

use crate::names::CONTEXT;
use line::Line;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::ops::Range;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Json,
    Text { colours: bool },
}

/// Writes each event as a line, with the context fields of the spans around it.
#[derive(Debug)]
pub(crate) struct LogLayer<W> {
    style: Style,
    service: &'static str,
    writer: W,
}

impl<W> LogLayer<W> {
    pub(crate) fn new(style: Style, service: &'static str, writer: W) -> Self {
        Self { style, service, writer }
    }
}

/// The context fields of one span, as they will stand in the lines: one buffer, since every call has a span.
struct SpanFields {
    style: Style,
    text: String,
    /// Where in `text` each of [`CONTEXT`] is; empty = it is not.
    places: [Range<usize>; CONTEXT.len()],
}

impl SpanFields {
    /// Room for all of [`CONTEXT`] with ordinary values.
    const CAPACITY: usize = 256;

    fn new(style: Style) -> Self {
        Self { style, text: String::new(), places: [const { 0..0 }; CONTEXT.len()] }
    }

    fn set(&mut self, field: &Field, write: impl FnOnce(&mut String, Style)) {
        let known = CONTEXT.iter().zip(&mut self.places).find(|(name, _)| **name == field.name());
        let Some((name, place)) = known else { return };
        self.text.reserve(Self::CAPACITY.saturating_sub(self.text.len()));
        let start = self.text.len();
        line::name(&mut self.text, self.style, name);
        write(&mut self.text, self.style);
        *place = start..self.text.len();
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = CONTEXT.into_iter().zip(&self.places);
        fields
            .filter_map(|(name, place)| Some((name, self.text.get(place.clone())?)))
            .filter(|of| !of.1.is_empty())
    }
}

impl Visit for SpanFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, |out, _| {
            let _ = write!(out, "{value}");
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, |out, style| line::value(out, style, format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, |out, style| line::value(out, style, format_args!("{value:?}")));
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields::new(self.style);
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::new(self.style);
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                for (name, text) in fields.iter() {
                    line.context(name, text);
                }
            }
        }
        let text = line.finish(event.metadata(), self.service);
        // Nowhere to complain to: stderr is where complaints go.
        let _ = self.writer.make_writer().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests;
