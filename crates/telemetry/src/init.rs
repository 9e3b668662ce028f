//! Start and end of telemetry.

use crate::config::{Config, Format};
use crate::log::{LogLayer, Style};
use crate::propagation;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::io::{self, IsTerminal as _};
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}: {1}")]
    Config(&'static str, String),
    #[error("failed to set up the OTLP exporter")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    #[error("logs are set up already")]
    Again,
}

/// Sets up logs, written to stderr, and traces of this process; once. Must be called inside a tokio runtime if
/// OTLP is on.
pub fn init(config: &Config, service: &'static str) -> Result<Guard, Error> {
    if let Some((key, message)) = config.problems().into_iter().next() {
        return Err(Error::Config(key, message));
    }
    let style = match config.format {
        Format::Text => Style::Text { colours: io::stderr().is_terminal() },
        Format::Auto if io::stderr().is_terminal() => Style::Text { colours: true },
        Format::Json | Format::Auto => Style::Json,
    };
    let targets = config.targets().unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let logs = LogLayer::new(style, service, io::stderr).with_filter(targets);
    let provider = if config.otlp_endpoint.is_empty() { None } else { Some(provider(config, service)?) };
    let traces = provider.as_ref().map(|provider| {
        // The exporter's own transport must not make spans, or each export would make the next.
        let ours = Targets::new().with_target("eventflow", LevelFilter::DEBUG);
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("eventflow"));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_filter(ours)
    });
    tracing_subscriber::registry().with(logs).with(traces).try_init().map_err(|_| Error::Again)?;
    propagation::set_exporting(provider.is_some());
    log_panics();
    Ok(Guard { provider })
}

fn provider(config: &Config, service: &'static str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(config.otlp_endpoint.as_str())
        .with_timeout(Config::EXPORT_TIMEOUT)
        .build()
        .map_err(Error::Exporter)?;
    let resource = Resource::builder_empty()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.otlp_sample)));
    // The batch processor's queue is bounded (2,048 spans); what does not fit is dropped.
    let builder = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Ok(builder.with_sampler(sampler).with_resource(resource).build())
}

/// A panic is one event, like everything else; the default hook would print raw lines between them.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, panic = message, "panicked");
    }));
}

/// Keeps telemetry alive. Dropping it sends what is left, for at most 5 s, blocking the thread; async code calls
/// [`Guard::flush`] instead.
#[derive(Debug)]
#[must_use = "spans that were not sent are lost without it"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    /// Sends what is left and ends; gives up after `timeout`.
    pub async fn flush(mut self, timeout: Duration) {
        let Some(provider) = self.provider.take() else { return };
        let end = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(timeout));
        match tokio::time::timeout(timeout, end).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "spans were lost"),
            Ok(Err(_)) | Err(_) => tracing::warn!(?timeout, "spans were lost: no answer in time"),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown_with_timeout(Config::EXPORT_TIMEOUT)
        {
            tracing::warn!(%error, "spans were lost");
        }
    }
}
